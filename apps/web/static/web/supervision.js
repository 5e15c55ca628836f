// The monitor: how long a window is still open, counted down here; the stream renews itself unless
// the reader is in it. A builder's row is shown anew when its field or comparison changes.
(() => {
  const left = (ends) => {
    const seconds = Math.floor((Date.parse(ends) - Date.now()) / 1000);
    if (seconds <= 0) return "closed";
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    if (hours >= 48) return `${Math.floor(hours / 24)} days left`;
    if (hours) return `${hours} h ${minutes} min left`;
    return minutes ? `${minutes} min left` : `${seconds} s left`;
  };
  const tick = () => {
    for (const place of document.querySelectorAll("[data-ends]")) {
      const words = left(place.dataset.ends);
      if (place.textContent !== words) place.textContent = words;
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    tick();
    setInterval(tick, 1000);
    const stream = document.getElementById("stream");
    if (!stream) return;
    setInterval(() => {
      const reading = stream.contains(document.activeElement) || document.hidden;
      if (!reading) htmx.trigger(stream, "renew");
    }, 15000);
  });
  document.addEventListener("htmx:afterSwap", tick);
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-refresh]")) {
      const form = event.target.closest("form");
      form.requestSubmit(form.querySelector('button[name="do"][tabindex="-1"]'));
    }
  });
})();
