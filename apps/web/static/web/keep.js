// A form marked data-keep loses nothing when a session ends while it is filled: what is typed is
// kept in this tab until it has arrived, and is put back when the page is opened again.
(() => {
  const START = "human-oversight.kept:";
  const sent = `${START}sent`;
  const keyOf = (form) => `${START}${document.body.dataset.person}:${location.pathname}${location.search}#${form.id || "form"}`;
  const read = (key) => { try { return sessionStorage.getItem(key); } catch { return null; } };
  const write = (key, value) => { try { sessionStorage.setItem(key, value); } catch { /* full or off: not kept */ } };
  const drop = (key) => { try { sessionStorage.removeItem(key); } catch { /* was not kept */ } };
  const SECRET = ["csrfmiddlewaretoken", "do"];

  // What is put back field by field is compared without what nobody types: a lease, a count of seconds.
  const textOf = (form) => {
    const whole = form.dataset.keep === "whole";
    const typed = (name) => whole || form.querySelector(`[name="${CSS.escape(name)}"]`)?.type !== "hidden";
    const values = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (!SECRET.includes(name) && typeof value === "string" && typed(name)) values.append(name, value);
    }
    return values.toString();
  };

  const putBack = (form, values) => {
    for (const field of form.elements) {
      if (!field.name || SECRET.includes(field.name)) continue;
      if (field.type === "checkbox" || field.type === "radio") {
        field.checked = values.getAll(field.name).includes(field.value);
      } else if (values.has(field.name) && field.type !== "hidden") field.value = values.get(field.name);
    }
  };

  const putBackWhole = (form, values) => {
    const token = form.elements.csrfmiddlewaretoken;
    const all = { ...Object.fromEntries(values), csrfmiddlewaretoken: token.value, do: "as-it-is" };
    htmx.ajax("POST", form.action, { target: form, swap: "outerHTML", values: all });
  };

  const restore = (form) => {
    const key = keyOf(form);
    const kept = read(key);
    if (!kept || kept === textOf(form)) return;
    const values = new URLSearchParams(kept);
    if (form.dataset.keep === "whole" && globalThis.htmx) putBackWhole(form, values);
    else putBack(form, values);
    const note = document.createElement("p");
    note.className = "verdict is-warn kept-note";
    note.setAttribute("role", "status");
    note.textContent = "What you typed here before is back. ";
    const away = document.createElement("button");
    away.type = "button";
    away.className = "link-button";
    away.textContent = "Throw it away";
    away.addEventListener("click", () => { drop(key); location.reload(); });
    note.append(away);
    form.before(note);
    for (let fold = form.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (location.pathname.startsWith("/accounts/")) return;
    const arrived = read(sent);
    if (arrived) {
      const again = [...document.querySelectorAll("[data-keep]")].some((form) => keyOf(form) === arrived);
      const done = document.querySelector(".messages .success");
      if (done || !again) drop(arrived);
      drop(sent);
    }
    for (const form of document.querySelectorAll("form[data-keep]")) {
      if (!document.querySelector("[role=alert]")) restore(form);
    }
  });
  const keep = (event) => {
    const form = event.target.closest?.("form[data-keep]");
    if (form) write(keyOf(form), textOf(form));
  };
  document.addEventListener("input", keep);
  document.addEventListener("change", keep);
  document.addEventListener("submit", (event) => {
    if (event.target.action?.endsWith("/accounts/logout/")) {
      for (const key of Object.keys(sessionStorage)) if (key.startsWith(START)) drop(key);
    }
    const form = event.target.closest("form[data-keep]");
    if (!form) return;
    write(keyOf(form), textOf(form));
    write(sent, keyOf(form));
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const form = event.target.closest?.("form[data-keep]") ?? event.target.querySelector?.("form[data-keep]");
    const arrived = read(sent);
    if (arrived && form && keyOf(form) !== arrived) { drop(arrived); drop(sent); }
    if (form) write(keyOf(form), textOf(form));
  });
})();
