// What app.ts takes from htmx is loaded for its effects only.
declare module "htmx.org/dist/*";
