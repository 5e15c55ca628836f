// What a dashboard's page does by itself: its theme, and taking a chart along.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => document.documentElement.dataset.theme || (system.matches ? "dark" : "light");
  window.dash_clientside = Object.assign({}, window.dash_clientside, { oversight: { theme } });
  const again = () => window.dash_clientside.set_props?.("theme", { data: theme() });
  system.addEventListener("change", again);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });

  // The numbers of a chart as a table, laid out when they are wanted.
  const made = (name, text, marks = {}) => {
    const one = Object.assign(document.createElement(name), marks);
    one.textContent = text;
    return one;
  };
  const laidOut = (holder) => {
    if (!holder.dataset.numbers || holder.shown === holder.dataset.numbers) return;
    holder.shown = holder.dataset.numbers;
    const [title, head, ...rows] = JSON.parse(holder.shown);
    const table = document.createElement("table");
    table.append(made("caption", title, { className: "visually-hidden" }));
    const top = table.createTHead().insertRow();
    top.append(...head.map((name) => made("th", name, { scope: "col" })));
    const body = table.createTBody();
    for (const [first, ...others] of rows) {
      const row = body.insertRow();
      row.append(made("th", first, { scope: "row" }));
      row.append(...others.map((cell) => made("td", cell, { className: cell.length > 32 ? "words" : "" })));
    }
    const region = made("div", "", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: title });
    region.append(table);
    holder.replaceChildren(region);
  };
  document.addEventListener(
    "toggle",
    (event) => event.target.open && event.target.querySelectorAll("[data-numbers]").forEach(laidOut),
    true,
  );
  new MutationObserver((changes) => {
    for (const { target } of changes) if (target.closest("details")?.open) laidOut(target);
  }).observe(document.documentElement, { subtree: true, attributeFilter: ["data-numbers"] });

  const save = (name, address) => {
    const link = document.createElement("a");
    link.download = name;
    link.href = address;
    link.click();
  };
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const csv = (table) =>
    [...table.rows].map((row) => [...row.cells].map((cell) => quoted(cell.textContent)).join(",")).join("\r\n");
  const named = (panel, kind) =>
    `${panel.getAttribute("aria-label").toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.${kind}`;

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-take], [data-print]");
    if (!button) return;
    if (button.matches("[data-print]")) {
      window.print();
      return;
    }
    const panel = button.closest("section");
    if (button.dataset.take === "csv") {
      panel.querySelectorAll("[data-numbers]").forEach(laidOut);
      const address = URL.createObjectURL(new Blob(["\ufeff", csv(panel.querySelector("table"))], { type: "text/csv" }));
      save(named(panel, "csv"), address);
      URL.revokeObjectURL(address);
      return;
    }
    const chart = panel.querySelector(".js-plotly-plot");
    const background = getComputedStyle(panel).backgroundColor;
    const figure = { data: chart.data, layout: { ...chart.layout, paper_bgcolor: background } };
    const size = { width: chart.clientWidth, height: chart.clientHeight };
    save(named(panel, "png"), await window.Plotly.toImage(figure, { format: "png", scale: 2, ...size }));
  });
  addEventListener("beforeprint", () => {
    for (const chart of document.querySelectorAll(".js-plotly-plot")) window.Plotly.Plots.resize(chart);
    // On paper nobody can open a table: those that stand for themselves, not behind a chart, are open.
    for (const folded of document.querySelectorAll(".is-folded:not([open])")) {
      folded.querySelectorAll("[data-numbers]").forEach(laidOut);
      folded.open = true;
      addEventListener("afterprint", () => (folded.open = false), { once: true });
    }
  });
})();
