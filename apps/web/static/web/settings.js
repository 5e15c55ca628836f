// The settings page: the theme as a choice, kept on this device as the frame's switch keeps it.
document.addEventListener("DOMContentLoaded", () => {
  const KEY = "human-oversight.theme";
  const form = document.querySelector("[data-theme-choice]");
  const kept = () => {
    try {
      return localStorage.getItem(KEY) || "system";
    } catch {
      return "system";
    }
  };
  const show = () => {
    for (const box of form.querySelectorAll("input")) box.checked = box.value === kept();
  };
  if (form) {
    form.hidden = false;
    show();
    form.addEventListener("change", (event) => {
      const theme = event.target.value;
      try { localStorage.setItem(KEY, theme); } catch { /* kept for this page alone */ }
      if (theme === "system") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = theme;
      const button = document.querySelector("[data-theme-switch]");
      if (button) button.textContent = `Theme: ${theme}`;
    });
    const button = document.querySelector("[data-theme-switch]");
    if (button) button.addEventListener("click", () => setTimeout(show, 0));
  }
  if (window.deskKeys) window.deskKeys.show();
});
