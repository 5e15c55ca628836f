// What a dashboard's page does by itself: its theme, and taking a chart along.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => document.documentElement.dataset.theme || (system.matches ? "dark" : "light");
  window.dash_clientside = Object.assign({}, window.dash_clientside, { oversight: { theme } });
  const again = () => window.dash_clientside.set_props?.("theme", { data: theme() });
  system.addEventListener("change", again);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });

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
  });
})();
