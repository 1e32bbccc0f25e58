// Keeps the page up to date without touching what is being written. It replaces
// the parts that differ by those of the same page, read again.
"use strict";

const every = 2000;
const parts = ["facts", "list", "head", "thread", "activity"];

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const read = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of parts) {
    const have = document.getElementById(id), now = read.getElementById(id);
    if (!have || !now || same(have, now)) continue;
    if (have.open) now.open = true;
    have.replaceWith(document.adoptNode(now));
  }
}

// A conversation's parts carry a version, so that mails are not drawn anew for
// nothing.
function same(have, now) {
  if (have.dataset.version) return have.dataset.version === now.dataset.version;
  return have.innerHTML === now.innerHTML;
}

setInterval(() => refresh().catch(() => {}), every); // the emulator may be restarting

// The newest message is at the end, above the place to write.
document.getElementById("thread")?.lastElementChild?.scrollIntoView({ block: "nearest" });
