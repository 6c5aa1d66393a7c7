// What every page does: navigation, theme, menus, dialogs, shortcuts, timers. Each page's own module stands beside it.
import { watchNetwork } from "./lib/connection.js";
import { remember } from "./lib/cookie.js";
import { openDialog, startDialogs } from "./lib/dialogs.js";
import { startMenus } from "./lib/menus.js";
import { startClock } from "./lib/time.js";

const root = document.documentElement;

function startTheme() {
  for (const form of document.querySelectorAll("[data-theme-form]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const choice = event.submitter.value;
      root.dataset.themeChoice = choice === "auto" ? "" : choice;
      const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.bsTheme = root.dataset.themeChoice || (isDark ? "dark" : "light");
      for (const button of form.querySelectorAll("button")) {
        if (button === event.submitter) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
      }
      const body = new FormData(form, event.submitter);
      await fetch(form.action, { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
    });
  }
}

function startNavigation() {
  const side = document.getElementById("nav");
  if (!side) return;
  const fold = document.querySelector("[data-nav-fold]");
  fold.addEventListener("click", () => {
    const isCompact = root.dataset.nav !== "compact";
    root.dataset.nav = isCompact ? "compact" : "wide";
    fold.setAttribute("aria-pressed", String(isCompact));
    remember("nav", isCompact ? "compact" : "");
  });
  const opener = document.querySelector("[data-nav-open-button]");
  const setOpen = (isOpen) => {
    root.toggleAttribute("data-nav-open", isOpen);
    opener.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) side.querySelector("a").focus();
  };
  setOpen(false);
  opener.setAttribute("role", "button");
  opener.addEventListener("click", (event) => {
    event.preventDefault();
    setOpen(true);
  });
  for (const closer of document.querySelectorAll("[data-nav-close]")) {
    closer.addEventListener("click", (event) => {
      event.preventDefault();
      setOpen(false);
      opener.focus();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && root.hasAttribute("data-nav-open")) {
      setOpen(false);
      opener.focus();
    }
  });
}

function startShortcuts() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable], dialog[open]")) return;
    if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    } else if (event.key === "?") {
      const help = document.getElementById("shortcuts");
      if (help) {
        event.preventDefault();
        openDialog(help);
      }
    }
  });
}

// htmx sends the token that Django asks for.
document.addEventListener("htmx:config:request", (event) => {
  const token = document.querySelector("input[name=csrfmiddlewaretoken]")?.value;
  const headers = event.detail?.ctx?.request?.headers;
  if (token && headers) headers["X-CSRFToken"] = token;
});

startTheme();
startNavigation();
startMenus();
startDialogs();
startShortcuts();
startClock();
watchNetwork();
