// Refreshes the page without touching the form inputs. It fetches the page again and
// replaces the parts that changed.
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

// A conversation's parts carry a version, so that unchanged mails are not rendered
// again.
function same(have, now) {
  if (have.dataset.version) return have.dataset.version === now.dataset.version;
  return have.innerHTML === now.innerHTML;
}

setInterval(() => refresh().catch(() => {}), every); // the emulator may be restarting

// The newest message is at the end, above the message form.
document.getElementById("thread")?.lastElementChild?.scrollIntoView({ block: "nearest" });
