// Loads the page again, in place, when the server says that something changed. Nothing here is needed to read a page.
"use strict";

(() => {
  const LEAST_PAUSE = 2000;
  const status = () => document.getElementById("news");
  let last = 0;
  let planned = null;

  const isBusy = () => {
    const focused = document.activeElement;
    const filled = [...document.querySelectorAll("main input:not([type=hidden]), main textarea")];
    return (
      (focused !== null && focused.matches("main input, main textarea, main select")) ||
      filled.some((field) => field.value !== field.defaultValue)
    );
  };

  const show = (fresh) => {
    const main = document.querySelector("main");
    const found = fresh === null ? null : fresh.querySelector("main");
    if (found === null || fresh.querySelector("nav") === null) {
      status().textContent = "You are logged out: load the page again.";
      return;
    }
    if (found.innerHTML === main.innerHTML) return;
    if (isBusy()) {
      // What somebody is writing stays as it is.
      status().textContent = "Something changed: load the page again when you are done.";
      return;
    }
    const focused = document.activeElement;
    const address = focused !== null && main.contains(focused) ? focused.getAttribute("href") : null;
    const replaced = document.importNode(found, true);
    main.replaceWith(replaced);
    if (address !== null) {
      const again = [...replaced.querySelectorAll("a")].find((link) => link.getAttribute("href") === address);
      (again ?? replaced).focus({ preventScroll: true });
    }
    document.querySelector("footer time").textContent = fresh.querySelector("footer time").textContent;
    status().textContent = "Renewed just now.";
  };

  const load = () => {
    planned = null;
    last = Date.now();
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.setRequestHeader("X-Pinscher-Live", "1");
    request.responseType = "document";
    request.addEventListener("load", () => request.status === 200 && show(request.responseXML));
    request.send();
  };

  const changed = () => {
    if (planned === null) planned = setTimeout(load, Math.max(0, last + LEAST_PAUSE - Date.now()));
  };

  // A browser has few connections to one server: a page that nobody looks at gives its own back.
  let news = null;
  const leave = () => {
    if (news !== null) news.close();
    news = null;
  };
  const listen = () => {
    if (news !== null) return;
    news = new EventSource("/news");
    news.addEventListener("changed", changed);
    news.addEventListener("error", () => {
      if (news !== null && news.readyState === EventSource.CLOSED) {
        status().textContent = "This page does not renew itself now: load it again.";
      }
    });
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return leave();
    listen();
    changed();
  });
  addEventListener("pagehide", leave);
  addEventListener("pageshow", () => document.hidden || listen());
})();
