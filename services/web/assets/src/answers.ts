// Says aloud what a swapped answer changed, and shows what an unswapped answer refused.

interface HtmxEventDetail {
  ctx?: { response?: { status: number; headers: Headers } };
}

/** Statuses whose answer carries its own explanation and is swapped by the element that asked. */
const EXPLAINED = new Set([409, 412, 422]);

function announce(text: string): void {
  const region = document.getElementById("live");
  if (region) region.textContent = text;
}

function sentence(status: number): string {
  if (status === 401) return "Your session has ended. Reload the page to sign in; what you typed is still here.";
  if (status === 403) return "You may not do this. Ask an administrator for access.";
  if (status === 404) return "This does not exist any more, or you cannot see it.";
  if (status === 429) return "Too many requests. Wait a moment, then try again.";
  if (status >= 500) return "The service could not answer. Nothing was lost; try again in a moment.";
  return "This was refused. Reload the page and try again.";
}

function show(text: string, correlation: string | null): void {
  const region = document.getElementById("notices");
  if (!region) return;
  const notice = document.createElement("div");
  notice.className = "notice";
  const words = document.createElement("p");
  words.textContent = text;
  if (correlation) {
    const small = document.createElement("small");
    small.textContent = ` Reference ${correlation}`;
    words.append(small);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button is-quiet is-small";
  close.textContent = "Dismiss";
  close.addEventListener("click", () => notice.remove());
  notice.append(document.createElement("span"), words, close);
  region.replaceChildren(notice);
}

/** Whether nobody asked: a region that refreshes itself says nothing aloud and shows its own failures. */
function isQuiet(event: Event): boolean {
  return event.target instanceof Element && event.target.matches("yt-refresh");
}

document.addEventListener("htmx:response:error", (event) => {
  if (isQuiet(event)) return;
  const response = (event as CustomEvent<HtmxEventDetail>).detail.ctx?.response;
  if (response && !EXPLAINED.has(response.status)) {
    show(sentence(response.status), response.headers.get("x-correlation-id"));
  }
});

document.addEventListener("htmx:error", (event) => {
  if (isQuiet(event)) return;
  show("The network did not answer. Nothing was lost; try again in a moment.", null);
});

document.addEventListener("htmx:after:swap", (event) => {
  if (isQuiet(event)) return;
  document.getElementById("notices")?.replaceChildren();
  const spoken = document.querySelector<HTMLElement>("[data-announce]");
  if (spoken?.dataset.announce) announce(spoken.dataset.announce);
});
