// The keys of the desk: which key does what, how a person changes it, kept on this device alone.
// Single keys can be turned off (WCAG 2.1.4).
window.deskKeys = (() => {
  const KEPT = "human-oversight.desk-keys";
  const RESERVED = /^([1-9]|Enter|Tab|Escape|Shift|Control|Alt|Meta| |Arrow.*|F\d+)$/;
  let kept = { map: {}, off: false };
  let waiting = null;

  const dialog = () => document.getElementById("desk-keys");
  const defaults = () => JSON.parse((dialog() && dialog().dataset.defaults) || "{}");
  const map = () => ({ ...defaults(), ...kept.map });

  try {
    kept = { ...kept, ...JSON.parse(localStorage.getItem(KEPT) || "{}") };
  } catch { /* unreadable or refused: the keys as they were */ }

  const keep = () => {
    try {
      localStorage.setItem(KEPT, JSON.stringify(kept));
    } catch { /* kept for this page alone */ }
  };

  const show = () => {
    const keys = map();
    for (const place of document.querySelectorAll("[data-key-of]")) {
      place.textContent = keys[place.dataset.keyOf] || "";
      place.hidden = kept.off;
    }
    const on = dialog() && dialog().querySelector("[data-keys-on]");
    if (on) on.checked = !kept.off;
  };

  const say = (text) => {
    const place = dialog() && dialog().querySelector("[data-keys-said]");
    if (place) place.textContent = text;
  };

  const choose = (key) => {
    const act = waiting;
    waiting = null;
    if (key === "Escape") return say("Nothing changed.");
    if (key.length !== 1 || RESERVED.test(key)) return say(`“${key}” cannot be chosen: take a letter or a sign.`);
    const chosen = key.toLowerCase();
    const taken = Object.entries(map()).find(([other, one]) => one === chosen && other !== act);
    if (taken) return say(`“${chosen}” is taken already.`);
    kept.map[act] = chosen;
    keep();
    show();
    return say(`“${chosen}” it is.`);
  };

  const open = () => {
    if (dialog() && !dialog().open) dialog().showModal();
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-change-key], [data-open-keys], [data-close-keys], [data-reset-keys]");
    if (!target) return;
    if (target.matches("[data-open-keys]")) open();
    if (target.matches("[data-close-keys]")) dialog().close();
    if (target.matches("[data-reset-keys]")) {
      kept = { map: {}, off: false };
      keep();
      show();
      say("The keys are as they were.");
    }
    if (target.matches("[data-change-key]")) {
      waiting = target.dataset.changeKey;
      say("Press the key you want, or Esc.");
    }
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-keys-on]")) return;
    kept.off = !event.target.checked;
    keep();
    show();
  });
  document.addEventListener("keydown", (event) => {
    if (waiting === null || ["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    choose(event.key);
  }, true);

  const actOf = (event) => {
    if (kept.off || event.ctrlKey || event.metaKey || event.altKey) return null;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const found = Object.entries(map()).find(([, one]) => one === key);
    if (found) return { act: found[0] };
    return /^[1-9]$/.test(key) ? { label: key } : null;
  };

  return { actOf, open, show };
})();
