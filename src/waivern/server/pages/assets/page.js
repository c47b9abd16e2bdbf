// What is live on the pages: a run is followed, and commands can be copied. Nothing depends on it.

/** What each live part had when the server last rendered it. */
const shown = new Map();
const parts = () => document.querySelectorAll("[data-live]");
const focusable = (part) => [...part.querySelectorAll("a, button, input, summary, [tabindex]")];

/** Replace the parts of the page that differ; what a person has opened or focused stays so. */
function renew(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const part of parts()) {
    const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!other || other.innerHTML === shown.get(part.dataset.live)) continue;
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    if (active?.matches("input, textarea")) continue; // it is replaced once the person has left it
    shown.set(part.dataset.live, other.innerHTML);
    const open = [...part.querySelectorAll("details[id][open]")].map((each) => each.id);
    const scrolled = [...part.querySelectorAll(".wide, .lines")].map((each) => [each.scrollLeft, each.scrollTop]);
    const place = focusable(part).indexOf(active);
    const href = active?.getAttribute("href");
    part.replaceChildren(...other.childNodes);
    addCopyButtons(part);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    part.querySelectorAll(".wide, .lines").forEach((each, n) => {
      if (scrolled[n]) [each.scrollLeft, each.scrollTop] = scrolled[n];
    });
    if (!active) continue;
    const same = href && focusable(part).find((each) => each.getAttribute("href") === href);
    (same || focusable(part)[place])?.focus({ preventScroll: true });
  }
  document.title = fresh.title;
  return fresh.body.dataset;
}

const RESUME_MS = 3000;

/** Look from time to time whether a run that has ended goes on, and follow it then. */
function awaitResume(page) {
  setTimeout(async () => {
    if (document.hidden) return awaitResume(page); // it looks when a person does
    const looking = new AbortController();
    try {
      const answer = await fetch(page.events, { signal: looking.signal });
      if (answer.status === 200) return follow(page); // there are further events
    } catch { // the server is away
    } finally {
      looking.abort();
    }
    awaitResume(page);
  }, RESUME_MS);
}

/**
 * Follow a live run: what happens there asks for the page again, at once and at least half a second
 * later: the first answer may have been rendered for another browser, before it happened.
 */
function follow({ events, kinds }) {
  const source = new EventSource(events);
  document.querySelector("body > .live")?.remove(); // of an attempt before
  const note = Object.assign(document.createElement("p"), { className: "live" });
  note.setAttribute("role", "status");
  document.body.append(note);
  let due = 0;
  let more = false;
  let last = 0;
  let busy = false;
  let ended = false;
  let pause = 500; // longer for a page that takes long to render
  async function load() {
    if (busy) return ask();
    busy = true;
    last = performance.now();
    try {
      const answer = await fetch(location.href);
      const page = answer.ok && !ended ? renew(await answer.text()) : undefined;
      if (page && (!page.events || page.waits !== undefined)) end(page);
    } catch { // the server is away: EventSource connects again, and asks then
    } finally {
      busy = false;
      pause = Math.max(500, 4 * (performance.now() - last));
    }
  }
  function ask() {
    more = true;
    if (due) return;
    if (!busy && performance.now() - last > pause) load();
    wait();
  }
  function wait() {
    more = false;
    due = setTimeout(() => {
      due = 0;
      load();
      if (more && !due) wait();
    }, pause);
  }
  function end(page) {
    ended = true;
    source.close();
    note.textContent = page.events ? "" : "ended";
    if (page.events) awaitResume({ ...page });
  }
  source.onopen = () => { note.textContent = "live"; ask(); };
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) ask(); // nothing follows
    else note.textContent = "connection lost, trying again";
  };
  for (const kind of [...kinds.split(" "), "end"]) source.addEventListener(kind, ask);
}

function addCopyButtons(part) {
  if (!navigator.clipboard) return;
  for (const code of part.querySelectorAll(".command code")) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Copy" });
    button.onclick = async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    };
    code.after(button);
  }
}

for (const part of parts()) shown.set(part.dataset.live, part.innerHTML);
addCopyButtons(document);
const page = { ...document.body.dataset };
if (page.events) (page.waits === undefined ? follow : awaitResume)(page);
