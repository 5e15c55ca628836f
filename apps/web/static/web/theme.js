// Before the first paint: the theme chosen on this device; without a choice the system's rules.
(() => {
  const KEY = "human-oversight.theme";
  const ORDER = ["system", "light", "dark"];
  const root = document.documentElement;
  const chosen = () => {
    try {
      const kept = localStorage.getItem(KEY);
      return ORDER.includes(kept) ? kept : "system";
    } catch {
      return "system";
    }
  };
  const apply = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  apply(chosen());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-switch]");
    if (!button) return;
    const show = () => { button.textContent = `Theme: ${chosen()}`; };
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      const next = ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length];
      try { localStorage.setItem(KEY, next); } catch { /* kept for this page alone */ }
      apply(next);
      show();
    });
  });
})();
