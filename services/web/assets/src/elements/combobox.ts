// <yt-combobox source="/api/…">: turns the text input inside it into an ARIA combobox over a look-up.
//
// Inside stand the text input and two hidden ones, marked `data-id` and `data-label`: the chosen id, and the text it was
// chosen for. The server believes the id only while both texts agree, so typing on after a choice simply unmakes it.

interface Choice {
  id: string;
  label: string;
}

const PAUSE_MS = 150;

let made = 0;

class Combobox extends HTMLElement {
  private input!: HTMLInputElement;
  private list!: HTMLUListElement;
  private status!: HTMLElement;
  private choices: Choice[] = [];
  private active = -1;
  private timer = 0;
  private asking: AbortController | null = null;

  connectedCallback(): void {
    const input = this.querySelector<HTMLInputElement>("input[type=text]");
    if (!input || this.list) return;
    this.input = input;
    this.list = document.createElement("ul");
    this.list.id = `choices-${++made}`;
    this.list.hidden = true;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", input.labels?.[0]?.textContent ?? "Choices");
    this.status = document.createElement("div");
    this.status.className = "visually-hidden";
    this.status.setAttribute("role", "status");
    this.append(this.list, this.status);

    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-expanded", "false");
    input.setAttribute("aria-controls", this.list.id);
    input.autocomplete = "off";
    input.addEventListener("input", () => this.soon());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => this.close());
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = (event.target as Element).closest<HTMLElement>("[role=option]");
      if (option) this.choose(Number(option.dataset.index));
    });
  }

  disconnectedCallback(): void {
    window.clearTimeout(this.timer);
    this.asking?.abort();
  }

  private soon(): void {
    this.keep("", "");
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.ask(), PAUSE_MS);
  }

  /** Asks for choices; a later question cancels an earlier one, so no stale answer is shown. */
  private async ask(): Promise<void> {
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    const url = new URL(this.getAttribute("source") ?? "", location.href);
    url.searchParams.set("q", this.input.value.trim());
    try {
      const response = await fetch(url, { signal: asking.signal, headers: { accept: "application/json" } });
      if (!response.ok) throw new Error(String(response.status));
      const { items } = (await response.json()) as { items: Choice[] };
      if (this.asking === asking) this.open(items);
    } catch (error) {
      if ((error as Error).name === "AbortError") return;
      this.close();
      this.status.textContent = "Choices could not be loaded. Type a name or code; it is checked when you save.";
    }
  }

  private open(choices: Choice[]): void {
    this.choices = choices;
    this.list.replaceChildren(
      ...choices.map((choice, index) => {
        const option = document.createElement("li");
        option.id = `${this.list.id}-${index}`;
        option.dataset.index = String(index);
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        option.textContent = choice.label;
        return option;
      }),
    );
    this.list.hidden = choices.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.mark(-1);
    this.status.textContent = choices.length === 0 ? "Nobody matches." : `${choices.length} choices. Use the arrow keys.`;
  }

  private close(): void {
    window.clearTimeout(this.timer);
    this.asking?.abort();
    this.asking = null;
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.mark(-1);
  }

  private mark(index: number): void {
    this.active = index;
    for (const option of this.list.children) option.setAttribute("aria-selected", "false");
    const option = this.list.children[index];
    if (option) {
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", option.id);
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }

  private choose(index: number): void {
    const choice = this.choices[index];
    if (!choice) return;
    this.input.value = choice.label;
    this.keep(choice.id, choice.label);
    this.close();
  }

  private keep(id: string, label: string): void {
    const chosen = this.querySelector<HTMLInputElement>("input[data-id]");
    const text = this.querySelector<HTMLInputElement>("input[data-label]");
    if (chosen) chosen.value = id;
    if (text) text.value = label;
  }

  private key(event: KeyboardEvent): void {
    const open = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) return void this.ask();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const count = this.choices.length;
      this.mark(this.active < 0 && step < 0 ? count - 1 : (this.active + step + count) % count);
    } else if (event.key === "Enter" && open && this.active >= 0) {
      event.preventDefault();
      this.choose(this.active);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      this.close();
    }
  }
}

customElements.define("yt-combobox", Combobox);
