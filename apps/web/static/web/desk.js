// The desk: single keys, drafts that keep themselves, the lease's heartbeat, active time, undo.
(() => {
  const IDLE_S = 30;
  const HEARTBEAT_S = 60;
  const AWAY_S = 300; // without a sign of the person the lease is left to run out
  const DRAFT_MS = 800;
  const TYPING = "input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]";

  const desk = () => document.querySelector("[data-desk]");
  const form = () => document.querySelector("[data-form]");
  const token = () => document.querySelector("[name=csrfmiddlewaretoken]")?.value || "";

  // --- Active time: focus and input count, an open page does not --------------------------------
  let active = 0;
  let lastInput = 0;
  let lastTick = 0;
  const seconds = () => performance.now() / 1000;
  const touched = () => { lastInput = seconds(); };
  const present = () => document.visibilityState === "visible" && document.hasFocus();
  const tick = () => {
    const now = seconds();
    if (present() && now - lastInput < IDLE_S) active += Math.min(now - lastTick, 2);
    lastTick = now;
  };
  for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "input"]) {
    document.addEventListener(kind, touched, { passive: true });
  }
  document.addEventListener("scroll", touched, { passive: true, capture: true });

  const writeActive = () => {
    tick();
    const place = document.querySelector("[data-active]");
    if (place) place.value = active.toFixed(1);
  };

  // --- What the server answers without a new page --------------------------------------------
  const post = (address, body) =>
    fetch(address, { method: "POST", body, redirect: "manual", headers: { "X-CSRFToken": token(), "X-Desk": "quiet" } });

  const warn = (html) => {
    const place = document.querySelector("[data-banner]");
    if (place && place.innerHTML.trim() !== html.trim()) place.innerHTML = html;
  };

  const say = (text) => {
    const place = document.querySelector("[data-saved]");
    if (place) place.textContent = text;
  };

  // --- Drafts ------------------------------------------------------------------------------
  let draftTimer = null;
  let isDirty = false;
  const saveDraft = async () => {
    clearTimeout(draftTimer);
    if (!isDirty || !form()) return;
    isDirty = false;
    writeActive();
    try {
      const answer = await post(desk().dataset.draftUrl, new FormData(form()));
      if (answer.status === 409) warn(await answer.text());
      if (answer.type === "opaqueredirect") { // to the sign-in
        isDirty = true;
        say("Your session has ended. What you typed is kept on this page: sign in again.");
        return;
      }
      if (answer.ok) say(`Draft saved at ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`);
      else say("The draft could not be saved; it is still on this page.");
    } catch {
      isDirty = true;
      say("No connection: what you typed is still on this page.");
    }
  };
  const changed = () => {
    isDirty = true;
    clearTimeout(draftTimer);
    draftTimer = setTimeout(saveDraft, DRAFT_MS);
  };

  // --- The lease ---------------------------------------------------------------------------
  let lastBeat = 0;
  let isLapsed = false;
  const beat = async () => {
    lastBeat = seconds();
    try {
      const answer = await post(desk().dataset.renewUrl, new FormData(form()));
      if (answer.status === 409 || answer.status === 403) {
        isLapsed = true;
        warn(await answer.text());
      } else if (answer.ok) {
        desk().dataset.leaseEnds = (await answer.json()).lease_expires_at;
      }
    } catch { /* the next beat tries again */ }
  };
  const watchLease = () => {
    if (!desk() || !form() || isLapsed) return;
    const now = seconds();
    const left = (new Date(desk().dataset.leaseEnds) - Date.now()) / 1000;
    const due = Math.min(HEARTBEAT_S, Math.max(5, left / 3));
    if (left <= 0 || (now - lastBeat > due && now - lastInput < AWAY_S)) beat();
  };

  // --- Undo --------------------------------------------------------------------------------
  let isSettling = false;
  const settle = async () => {
    isSettling = true;
    const region = document.querySelector("[data-undo-region]");
    try {
      const answer = await post(region.dataset.settleUrl, new FormData());
      if (answer.ok) {
        region.outerHTML = await answer.text();
        const fresh = document.querySelector("[data-undo-region]");
        if (window.htmx) window.htmx.process(fresh);
        window.deskKeys.show();
      }
    } catch { /* the server makes it final by itself */ }
    isSettling = false;
  };
  let triedAt = 0;
  const countDown = () => {
    let isOver = false;
    for (const toast of document.querySelectorAll("[data-final-at]")) {
      const left = Math.ceil((new Date(toast.dataset.finalAt) - Date.now()) / 1000);
      const place = toast.querySelector("[data-left]");
      if (place) place.textContent = String(Math.max(0, left));
      if (left <= 0) isOver = true;
    }
    if (isOver && !isSettling && seconds() - triedAt > 2) {
      triedAt = seconds();
      settle();
    }
  };

  // --- Verdicts ----------------------------------------------------------------------------
  const verdict = (code) => form()?.querySelector(`[name=verdict][value="${code}"]`);
  const submit = () => form()?.requestSubmit();
  const isSending = () => form()?.classList.contains("htmx-request");

  const words = () => {
    const chosen = form()?.querySelector("[name=verdict]:checked");
    const label = form()?.querySelector("[data-words-label]");
    const note = form()?.querySelector("[data-words-note]");
    const area = form()?.querySelector("[name=rationale]");
    if (!label || !note || !area) return;
    const asks = chosen?.value === "ask";
    const needs = Boolean(chosen?.matches("[data-needs-words]"));
    label.textContent = asks ? "Your question" : "Why";
    note.textContent = needs ? "needed" : chosen ? "optional" : note.dataset.default;
    area.required = needs;
  };

  const pick = (code) => {
    const choice = verdict(code);
    if (!choice || isSending()) return;
    choice.checked = true;
    choice.dispatchEvent(new Event("change", { bubbles: true }));
    if (choice.matches("[data-at-once]")) return submit();
    const inputs = form().querySelector("[data-for] input, [data-for] textarea, [data-for] select");
    const labels = form().querySelector("[data-labels] input");
    const area = form().querySelector("[name=rationale]");
    if (["change", "answer"].includes(code)) (inputs || labels || area).focus();
    else area.focus();
  };

  const pickLabel = (key) => {
    const choice = form()?.querySelector(`[data-label-key="${key}"]`);
    if (!choice || isSending()) return;
    choice.checked = true;
    choice.dispatchEvent(new Event("change", { bubbles: true }));
    if (choice.matches("[data-stands]") && verdict("confirm")) return submit();
    if (verdict("change")) form().querySelector("[name=rationale]").focus();
    else form().querySelector("button[type=submit]").focus();
  };

  const labelChosen = (choice) => {
    const code = choice.matches("[data-stands]") ? "confirm" : "change";
    const other = verdict(code) || verdict("answer");
    if (other) other.checked = true;
  };

  const surer = (step) => {
    const all = [...(form()?.querySelectorAll("[name=confidence]") || [])];
    if (!all.length) return;
    const at = all.findIndex((one) => one.checked);
    const next = at < 0 ? (step > 0 ? 2 : 1) : Math.min(all.length - 1, Math.max(0, at + step));
    all[next].checked = true;
    all[next].dispatchEvent(new Event("change", { bubbles: true }));
  };

  const ACTS = {
    help: () => window.deskKeys.open(),
    undo: () => document.querySelector("[data-act=undo]")?.click(),
    next: () => document.querySelector("[data-act=next]")?.click(),
    evidence: () => document.getElementById("evidence")?.focus(),
    less_sure: () => surer(-1),
    more_sure: () => surer(1),
  };

  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form()) {
      event.preventDefault();
      submit();
      return;
    }
    if (event.target.matches(TYPING)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "Enter" && event.target.matches("[data-form] input[type=radio]")) {
      event.preventDefault();
      submit();
      return;
    }
    const found = window.deskKeys.actOf(event);
    if (!found || event.repeat) return;
    event.preventDefault();
    if (found.label) pickLabel(found.label);
    else (ACTS[found.act] || (() => pick(found.act)))();
  });
  document.addEventListener("change", (event) => {
    if (!event.target.closest("[data-form]")) return;
    if (event.target.matches("[name=label]")) labelChosen(event.target);
    words();
    changed();
  });
  document.addEventListener("input", (event) => {
    if (event.target.closest("[data-form]")) changed();
  });
  document.addEventListener("submit", writeActive, true);
  document.addEventListener("htmx:configRequest", (event) => {
    writeActive();
    if (event.detail.parameters.has?.("active_seconds")) {
      event.detail.parameters.set("active_seconds", active.toFixed(1));
    }
    clearTimeout(draftTimer);
    isDirty = false;
  });

  // --- From one case to the next ------------------------------------------------------------
  const begin = (isFirst) => {
    active = Number(document.querySelector("[data-active]")?.value || 0);
    isLapsed = false;
    lastTick = lastBeat = seconds();
    if (present() || !isFirst) touched();
    window.deskKeys.show();
    words();
    if (!isFirst) document.querySelector("[data-focus]")?.focus({ preventScroll: true });
  };
  document.addEventListener("htmx:beforeSwap", (event) => {
    const address = new URL(event.detail.xhr.responseURL || location.href);
    if (address.pathname.startsWith("/accounts/")) {
      event.detail.shouldSwap = false; // signed out meanwhile: the draft is kept
      location.assign(address);
    }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "desk") begin(false);
  });
  document.addEventListener("htmx:sendError", () => {
    isDirty = true;
    say("Not sent: no connection. Nothing you typed is lost; try again.");
  });
  document.addEventListener("htmx:responseError", () => say("Not sent: the server could not answer. Try again."));
  window.addEventListener("pagehide", () => {
    if (!isDirty || !form()) return;
    writeActive();
    const body = new FormData(form());
    navigator.sendBeacon(desk().dataset.draftUrl, body);
  });
  document.addEventListener("DOMContentLoaded", () => {
    begin(true);
    setInterval(() => { tick(); watchLease(); countDown(); }, 1000);
  });
})();
