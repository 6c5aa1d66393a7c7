// data-opens="id" opens that dialog; data-closes closes the one it is in. Without this script the links do the same.

export function openDialog(dialog) {
  if (!dialog.open) dialog.showModal();
}

export function startDialogs() {
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    const opener = target.closest("[data-opens]");
    if (opener) {
      event.preventDefault();
      openDialog(document.getElementById(opener.dataset.opens));
      return;
    }
    const closer = target.closest("[data-closes]");
    if (closer) {
      event.preventDefault();
      closer.closest("dialog").close();
      if (location.hash) history.replaceState(null, "", location.pathname + location.search);
      return;
    }
    if (target instanceof HTMLDialogElement && target.open && isOutside(target, event)) target.close();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.key === " " || event.key === "Enter") && event.target.matches?.("a[role=button]")) {
      event.preventDefault();
      event.target.click();
    }
  });
  // A form that reaches outside is sent once, however often the button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!("once" in form.dataset) || form.method === "dialog") return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
    }
  });
}

function isOutside(dialog, { clientX, clientY }) {
  const box = dialog.getBoundingClientRect();
  return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
}
