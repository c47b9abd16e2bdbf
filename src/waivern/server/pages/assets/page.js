// What is live on the pages: a run is followed, and commands can be copied. Nothing depends on it.

/** Replace the parts of the page that differ; what a person has opened or focused stays so. */
function renew(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!other || other.innerHTML === part.dataset.shown) continue;
    if (part.contains(document.activeElement) && document.activeElement.matches("input, button")) continue;
    part.dataset.shown = other.innerHTML;
    const open = [...part.querySelectorAll("details[id][open]")].map((each) => each.id);
    const scrolled = [...part.querySelectorAll(".wide, .lines")].map((each) => [each.scrollLeft, each.scrollTop]);
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceChildren(...other.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    part.querySelectorAll(".wide, .lines").forEach((each, n) => {
      if (scrolled[n]) [each.scrollLeft, each.scrollTop] = scrolled[n];
    });
    if (focused) part.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    addCopyButtons(part);
  }
  document.title = fresh.title;
  return fresh.body.dataset.events !== undefined;
}

/** Follow a live run: what happens there asks for the page again, at most twice a second. */
function follow({ events, kinds }) {
  const source = new EventSource(events);
  const note = Object.assign(document.createElement("p"), { className: "live" });
  note.setAttribute("role", "status");
  document.body.append(note);
  let due = 0;
  let busy = false;
  async function load() {
    due = 0;
    if (busy) return ask();
    busy = true;
    try {
      const answer = await fetch(location.href);
      if (answer.ok && !renew(await answer.text())) end();
    } catch { // the server is away: EventSource connects again, and asks then
    } finally {
      busy = false;
    }
  }
  function ask() {
    due ||= setTimeout(load, 500);
  }
  function end() {
    source.close();
    note.textContent = "ended";
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

addCopyButtons(document);
if (document.body.dataset.events) follow(document.body.dataset);
