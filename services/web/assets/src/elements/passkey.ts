// <yt-passkey>: asks the browser for a passkey, to add one (purpose="create") or to prove who one is (purpose="get"), and
// sends what it answers to auth. Where the browser knows no passkeys the element shows what stands in it, or stays hidden.

interface Problem {
  type?: string;
  detail?: string;
}

type Json = Record<string, unknown>;

function bytesOf(text: string): ArrayBuffer {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = new Uint8Array(plain.length);
  for (let index = 0; index < plain.length; index += 1) bytes[index] = plain.charCodeAt(index);
  return bytes.buffer;
}

function textOf(buffer: ArrayBuffer): string {
  const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function described(list: unknown): PublicKeyCredentialDescriptor[] {
  const entries = Array.isArray(list) ? (list as Json[]) : [];
  return entries.map((entry) => ({ ...entry, id: bytesOf(String(entry.id)) }) as unknown as PublicKeyCredentialDescriptor);
}

/** The options of auth with bytes where it wrote base64url. */
function creation(options: Json): PublicKeyCredentialCreationOptions {
  const user = options.user as Json;
  return {
    ...options,
    challenge: bytesOf(String(options.challenge)),
    user: { ...user, id: bytesOf(String(user.id)) },
    excludeCredentials: described(options.excludeCredentials),
  } as unknown as PublicKeyCredentialCreationOptions;
}

function request(options: Json): PublicKeyCredentialRequestOptions {
  return {
    ...options,
    challenge: bytesOf(String(options.challenge)),
    allowCredentials: described(options.allowCredentials),
  } as unknown as PublicKeyCredentialRequestOptions;
}

/** The browser's answer with base64url where it has bytes. */
function answered(credential: PublicKeyCredential): Json {
  const response: Json = { clientDataJSON: textOf(credential.response.clientDataJSON) };
  if (credential.response instanceof AuthenticatorAttestationResponse) {
    response.attestationObject = textOf(credential.response.attestationObject);
    response.transports = credential.response.getTransports();
  }
  if (credential.response instanceof AuthenticatorAssertionResponse) {
    const { authenticatorData, signature, userHandle } = credential.response;
    response.authenticatorData = textOf(authenticatorData);
    response.signature = textOf(signature);
    response.userHandle = userHandle ? textOf(userHandle) : null;
  }
  return {
    id: credential.id,
    rawId: textOf(credential.rawId),
    type: credential.type,
    extensions: credential.getClientExtensionResults(),
    response,
  };
}

class Passkey extends HTMLElement {
  readonly #button = document.createElement("button");
  readonly #words = document.createElement("p");

  connectedCallback(): void {
    if (typeof window.PublicKeyCredential !== "function") return;
    this.querySelector("[data-fallback]")?.remove();
    this.#button.type = "button";
    this.#button.className = "button is-wide";
    this.#button.textContent = this.getAttribute("caption") ?? this.textContent;
    if (!this.hasAttribute("caption")) this.replaceChildren();
    this.#button.addEventListener("click", () => void this.#ask());
    this.#words.className = "mistake";
    this.#words.setAttribute("role", "alert");
    this.append(this.#button, this.#words);
    this.hidden = false;
  }

  async #ask(): Promise<void> {
    const name = this.querySelector<HTMLInputElement>("input[name=name]");
    if (name && !name.reportValidity()) return;
    this.#button.disabled = true;
    this.#words.textContent = "";
    try {
      const options = await this.#post(this.getAttribute("options"), {});
      if (!options) return;
      const credential = await this.#credential((await options.json()).publicKey as Json);
      const body = name ? { name: name.value, credential } : { passkey: credential };
      const done = await this.#post(this.getAttribute("answer"), body);
      if (done) location.assign(this.getAttribute("next") ?? "/");
    } catch (error) {
      this.#words.textContent = this.#sentence(error);
    } finally {
      this.#button.disabled = false;
    }
  }

  async #credential(options: Json): Promise<Json> {
    const found =
      this.getAttribute("purpose") === "create"
        ? await navigator.credentials.create({ publicKey: creation(options) })
        : await navigator.credentials.get({ publicKey: request(options) });
    if (!(found instanceof PublicKeyCredential)) throw new DOMException("none", "NotAllowedError");
    return answered(found);
  }

  /** What auth answers; nothing when it refused and the reader was told or led on. */
  async #post(path: string | null, body: Json): Promise<Response | null> {
    const response = await fetch(path ?? "", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        "x-csrf-token": this.getAttribute("token") ?? "",
      },
      body: JSON.stringify(body),
    });
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as Problem;
    const stepUp = this.getAttribute("step-up");
    if (stepUp && problem.type?.endsWith("/step-up-required")) location.assign(stepUp);
    else this.#words.textContent = problem.detail ?? "The service could not answer. Try again in a moment.";
    return null;
  }

  #sentence(error: unknown): string {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "InvalidStateError") return "This passkey is in your account already.";
    if (name === "NotAllowedError") return "Nothing was chosen, or it took too long. Try again.";
    if (name === "SecurityError") return "Passkeys do not work at this address.";
    return "The network did not answer. Try again in a moment.";
  }
}

customElements.define("yt-passkey", Passkey);
