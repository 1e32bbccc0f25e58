// Adds to the pages what needs a script: news without loading the page again, times in
// the person's time zone, a question before dangerous commands, buttons that copy, and
// messages to the page that shows the portal in a frame. Everything else works without it.
(() => {
  "use strict";

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const localize = (root) => {
    const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) {
        time.title = time.textContent;
        time.textContent = format.format(at);
      }
    }
    for (const input of root.querySelectorAll("input[type=hidden][name=zone]")) {
      input.value = zone; // in which the person fills in the times of the form
    }
    for (const text of root.querySelectorAll("[data-zone]")) {
      text.textContent = zone;
    }
  };
  localize(document);
  // The zone of dashboards whose address has none. In a frame of another site, a cookie has
  // to be kept apart for that site.
  document.cookie = `claimflow-portal-zone=${encodeURIComponent(zone)}; Path=/portal/; Max-Age=31536000; ` +
    (window.top === window ? `SameSite=Lax${location.protocol === "https:" ? "; Secure" : ""}` : "SameSite=None; Secure; Partitioned");

  // On narrow screens the list of pages is wider than the window.
  const here = document.querySelector(".top nav [aria-current]");
  if (here) {
    const pages = here.closest("ul");
    pages.scrollLeft = here.offsetLeft - pages.offsetLeft - 16;
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm || form.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    if (form.hasAttribute("data-slow")) {
      form.setAttribute("aria-busy", "true");
    }
  });

  // The service sends the live part of the page whenever it changes. Elements with
  // data-keep stay as they are, with what the person typed. While the person is typing in
  // the live part, news wait.
  const live = document.querySelector("[data-live]");
  if (live && window.EventSource) {
    const wall = live.hasAttribute("data-wall");
    const shop = document.querySelector("input[name=portal_shop]")?.value ?? "";
    const address = wall ? location.pathname + "/live" : "/portal/live?page=" + encodeURIComponent(location.pathname + location.search) + "&shop=" + encodeURIComponent(shop);
    let first = true;
    let news = null;
    let pressed = false;
    // What a part says, apart from what stays as it is.
    const said = (part) => {
      const copy = part.cloneNode(true);
      for (const kept of copy.querySelectorAll("[data-keep]")) {
        kept.remove();
      }
      return copy.textContent.replace(/\s+/g, " ").trim();
    };
    const show = () => {
      const focus = live.contains(document.activeElement) ? document.activeElement : null;
      if (news === null || pressed || focus?.matches("input, select, textarea") || focus?.closest("[data-keep] form")) {
        return;
      }
      const part = document.createElement("template");
      part.innerHTML = news; // rendered by the service, like the page itself
      localize(part.content);
      for (const kept of live.querySelectorAll("[data-keep]")) {
        part.content.getElementById(kept.id)?.replaceWith(kept);
      }
      for (const { id } of live.querySelectorAll("details[open][id]")) {
        part.content.getElementById(id)?.setAttribute("open", "");
      }
      live.replaceChildren(part.content);
      news = null;
      if (focus) {
        (focus.isConnected ? focus : document.getElementById(focus.id))?.focus();
      }
    };
    // Not at once: the person may have left the field to press a button.
    live.addEventListener("focusout", () => setTimeout(show, 1000));
    // A press does nothing if what was pressed is replaced before the button is let go.
    live.addEventListener("pointerdown", () => { pressed = true; });
    for (const end of ["pointerup", "pointercancel", "contextmenu"]) {
      window.addEventListener(end, () => {
        pressed = false;
        setTimeout(show);
      });
    }
    let source = null;
    let again = 0;
    const open = () => {
      source = new EventSource(address);
      source.addEventListener("news", (event) => {
        news = event.data;
        if (first) { // usually what the page shows already
          const part = document.createElement("template");
          part.innerHTML = news;
          localize(part.content);
          news = said(part.content) === said(live) ? null : news;
          first = false;
        }
        show();
      });
      source.addEventListener("gone", () => source.close());
      source.addEventListener("ended", () => {
        source.close();
        location.replace(location.pathname + location.search); // a reload would send a form again
      });
      // The browser does not connect again after an error of a proxy.
      source.addEventListener("error", () => {
        if (source.readyState === EventSource.CLOSED) {
          again = setTimeout(open, 10000);
        }
      });
    };
    open();
    // The answer to a command is the next page: a reload, when the person signs out, would
    // take its place.
    document.addEventListener("submit", (event) => {
      if (!event.defaultPrevented && event.target.method === "post") {
        source.close();
        clearTimeout(again);
        again = setTimeout(open, 10000); // the person may have stayed
      }
    });
  }

  // Placeholders become buttons that write them where the person typed last.
  for (const list of document.querySelectorAll("[data-insert]")) {
    const form = list.closest("form");
    let last = null;
    form.addEventListener("focusin", (event) => {
      if (event.target.matches(list.dataset.insert)) {
        last = event.target;
      }
    });
    for (const item of list.querySelectorAll("li")) {
      const code = item.querySelector("code");
      const button = document.createElement("button");
      button.type = "button";
      button.append(...item.childNodes);
      item.append(button);
      button.addEventListener("click", () => {
        const into = form.querySelector(code.dataset.only ?? (last ? "#" + last.id : "#body"));
        if (into !== last) {
          into.setSelectionRange(into.value.length, into.value.length);
        }
        into.focus();
        // Unlike other ways, this can be undone.
        if (!document.execCommand("insertText", false, code.textContent)) {
          into.setRangeText(code.textContent, into.selectionStart, into.selectionEnd, "end");
          into.dispatchEvent(new Event("input", { bubbles: true }));
        }
      });
    }
  }
  for (const hint of document.querySelectorAll("[data-insert-hint]")) {
    hint.hidden = false;
  }

  // The browser asks before the person leaves what was typed and not sent. Forms whose
  // fields were sent but not saved are marked. Fields with data-view choose what is shown.
  const unsaved = new Set(document.querySelectorAll("form[method=post][data-unsaved], form[method=post]:has(.fault)"));
  let sent = null;
  const typed = (event) => {
    const form = event.target.form;
    if (form?.method === "post" && !event.target.hasAttribute("data-view")) {
      unsaved.add(form);
      sent = null; // the person has stayed
    }
  };
  document.addEventListener("input", typed);
  document.addEventListener("change", typed);
  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented) {
      sent = event.target;
    }
  });
  window.addEventListener("beforeunload", (event) => {
    if ([...unsaved].some((form) => form.isConnected && form !== sent)) {
      event.preventDefault();
    }
  });

  // Where the browser lets no page copy, the text can be selected with one click.
  for (const button of navigator.clipboard ? document.querySelectorAll("button[data-copy]") : []) {
    const text = document.getElementById(button.dataset.copy);
    const copied = button.parentElement.querySelector("[data-copied]");
    button.hidden = false;
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(text.textContent).then(
        () => { copied.textContent = copied.dataset.copied; },
        () => { window.getSelection().selectAllChildren(text); },
      );
    });
  }

  // The preview follows what the person types.
  for (const form of document.querySelectorAll("form[data-preview]")) {
    const out = document.getElementById(form.dataset.preview);
    let waiting = 0;
    let running = null;
    const preview = async () => {
      running?.abort();
      running = new AbortController();
      try {
        const answer = await fetch(form.dataset.previewUrl, { method: "POST", body: new URLSearchParams(new FormData(form)), signal: running.signal });
        if (answer.ok || answer.status === 422) {
          out.innerHTML = await answer.text(); // rendered by the service
        }
      } catch (error) {
        if (error.name !== "AbortError") {
          throw error;
        }
      }
    };
    const later = () => {
      clearTimeout(waiting);
      waiting = setTimeout(preview, 300);
    };
    form.addEventListener("input", later);
    for (const field of form.elements) {
      if (!form.contains(field)) {
        field.addEventListener("input", later);
      }
    }
  }

  const origin = document.querySelector("meta[name=claimflow-origin]")?.content;
  const happened = document.querySelector("meta[name=claimflow-event]")?.content;
  const platform = window.parent !== window ? window.parent : window.opener;
  if (origin && happened && platform) {
    platform.postMessage({ source: "claimflow", event: happened }, origin);
  }
})();
