// <details class="menu"> behaves as a menu: one at a time, closed by Escape, by a click elsewhere, by leaving it.

export function startMenus() {
  document.addEventListener("click", (event) => closeOthers(event.target));
  document.addEventListener("focusin", (event) => closeOthers(event.target));
  document.addEventListener("keydown", (event) => {
    const menu = event.target instanceof Element ? event.target.closest("details.menu[open]") : null;
    if (!menu) return;
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
      event.stopPropagation();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      move(menu, event.key === "ArrowDown" ? 1 : -1);
      event.preventDefault();
    }
  });
}

function closeOthers(target) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
}

function move(menu, step) {
  const items = [...menu.querySelectorAll(".menu-item")];
  const next = items.indexOf(document.activeElement) + step;
  items[(next + items.length) % items.length]?.focus();
}
