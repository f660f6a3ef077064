// What every page loads: htmx under the strict content security policy, and our own elements.
import "htmx.org/dist/htmx.esm.js";
import "htmx.org/dist/ext/hx-csp.js";
import "./elements/combobox";
import "./elements/passkey";
import "./elements/refresh";
import "./answers";
