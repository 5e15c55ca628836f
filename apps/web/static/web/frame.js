// The navigation folds away on narrow screens; a form can ask to be sent once only.
document.addEventListener("DOMContentLoaded", () => {
  const button = document.querySelector("[data-menu]");
  if (button) {
    const menu = document.getElementById(button.getAttribute("aria-controls"));
    const set = (open) => {
      button.setAttribute("aria-expanded", String(open));
      menu.classList.toggle("is-open", open);
    };
    document.documentElement.classList.add("has-script");
    set(false);
    button.addEventListener("click", () => set(button.getAttribute("aria-expanded") !== "true"));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && button.getAttribute("aria-expanded") === "true") {
        set(false);
        button.focus();
      }
    });
  }
  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", () => {
      const send = form.querySelector("button[type=submit]");
      send.setAttribute("aria-disabled", "true");
      if (send.dataset.busy) send.textContent = send.dataset.busy;
    });
  }
});
