"use strict";
// The reference of the API, out of the document that the gateway itself serves. Nothing is asked of another host.
const place = document.getElementById("reference");
window.ui = SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  showExtensions: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  // Problems are told in the language of the page.
  requestInterceptor: (request) => {
    request.headers["Accept-Language"] ??= place.dataset.language;
    return request;
  },
});
