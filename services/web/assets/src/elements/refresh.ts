// <yt-refresh>: asks for a region again every few seconds, as long as somebody looks at it. htmx does the asking, on the
// event `refresh`; this element decides when. It can be stopped, it starts stopped for who wants little motion, it rests
// while the page is hidden, and it ends when nobody has touched the page for long: a session must be able to run out.

const UNTOUCHED_MS_MAX = 30 * 60 * 1000;

class Refresh extends HTMLElement {
  #timer = 0;
  #asked = false;
  #stopped = false;
  #touched = Date.now();
  readonly #button = document.createElement("button");
  readonly #words = document.createElement("span");
  readonly #touch = (): void => {
    this.#touched = Date.now();
  };
  readonly #look = (): void => {
    if (!document.hidden) this.#ask();
  };

  connectedCallback(): void {
    this.#button.type = "button";
    this.#button.className = "button is-small is-quiet";
    this.#button.addEventListener("click", () => this.#stop(!this.#stopped));
    this.replaceChildren(this.#words, this.#button);
    this.addEventListener("htmx:after:swap", () => this.#answered());
    this.addEventListener("htmx:response:error", () => this.#failed());
    this.addEventListener("htmx:error", () => this.#failed());
    for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, this.#touch);
    document.addEventListener("visibilitychange", this.#look);
    this.#stop(matchMedia("(prefers-reduced-motion: reduce)").matches);
    this.#timer = window.setInterval(() => this.#ask(), Number(this.getAttribute("seconds")) * 1000);
  }

  disconnectedCallback(): void {
    window.clearInterval(this.#timer);
    for (const name of ["pointerdown", "keydown"]) document.removeEventListener(name, this.#touch);
    document.removeEventListener("visibilitychange", this.#look);
  }

  #ask(): void {
    if (this.#stopped || this.#asked || document.hidden) return;
    if (this.#isFinal()) {
      this.remove();
    } else if (Date.now() - this.#touched > UNTOUCHED_MS_MAX) {
      this.#stop(true);
    } else {
      this.#asked = true;
      this.dispatchEvent(new Event("refresh"));
    }
  }

  /** Whether the region says that it will not change any more. */
  #isFinal(): boolean {
    const region = document.querySelector(this.getAttribute("hx-target") ?? "");
    return region?.hasAttribute("data-final") ?? false;
  }

  #answered(): void {
    this.#asked = false;
    if (this.#isFinal()) this.remove();
  }

  #failed(): void {
    this.#asked = false;
    this.#stop(true);
    this.#words.textContent = `Not up to date since ${new Date().toLocaleTimeString([], { hour12: false })}`;
  }

  #stop(stopped: boolean): void {
    this.#stopped = stopped;
    this.#button.textContent = stopped ? "Update again" : "Stop updates";
    this.#words.textContent = stopped ? "Not updated" : `Updated every ${this.getAttribute("seconds")} s`;
    if (!stopped) {
      this.#touch();
      if (this.#timer !== 0) this.#ask();
    }
  }
}

customElements.define("yt-refresh", Refresh);
