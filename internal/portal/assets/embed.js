// Opens a link to the Claimflow portal in a frame or a window of this page, and tells the
// page what happens there: "connected", "enabled", "disabled" and "closed".
//
//   const portal = ClaimflowPortal.open(link.url, { parent: element, onEvent: (name) => … });
//   portal.close();
//
// Without parent, the link opens in a window: call open in the handler of a click. The
// link's allowed_origin must be the origin of this page.
window.ClaimflowPortal = (() => {
  "use strict";
  const origin = new URL(document.currentScript.src).origin;
  const open = (url, { parent = null, title = "Claimflow", onEvent = () => {} } = {}) => {
    if (new URL(url).origin !== origin) {
      throw new Error("The link belongs to another service than this script.");
    }
    let frame = null;
    let other = null;
    if (parent) {
      frame = document.createElement("iframe");
      frame.src = url;
      frame.title = title;
      frame.style.cssText = "border:0;width:100%;height:100%";
      parent.append(frame);
      other = () => frame.contentWindow;
    } else {
      const opened = window.open(url, "claimflow", "popup,width=960,height=800");
      other = () => opened;
    }
    const listen = (event) => {
      if (event.origin === origin && event.source === other() && event.data?.source === "claimflow") {
        onEvent(event.data.event);
      }
    };
    window.addEventListener("message", listen);
    return {
      close() {
        window.removeEventListener("message", listen);
        frame ? frame.remove() : other()?.close();
      },
    };
  };
  return { open };
})();
