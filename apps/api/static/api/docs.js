"use strict";

// A signed-in person's writes carry the session's CSRF token, as a page's forms do.
const withCsrfToken = (request) => {
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  const sameOrigin = new URL(request.url, location.href).origin === location.origin;
  if (token && sameOrigin) {
    request.headers["X-CSRFToken"] = decodeURIComponent(token[1]);
  }
  return request;
};

window.addEventListener("load", () => {
  const root = document.getElementById("api-docs");
  window.SwaggerUIBundle({
    url: root.dataset.schema,
    domNode: root,
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    // Null: no badge is fetched from another host.
    validatorUrl: null,
    requestInterceptor: withCsrfToken,
  });
});
