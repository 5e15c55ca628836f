// Dash and Plotly make <style> elements and know no nonce: they are given the page's own.
(() => {
  const nonce = document.currentScript.nonce;
  const make = Document.prototype.createElement;
  Document.prototype.createElement = function (name, options) {
    const made = make.call(this, name, options);
    if (String(name).toLowerCase() === "style") made.nonce = nonce;
    return made;
  };
})();
