// What Django's admin leaves unnamed for those who listen: cells of inline tables, the search line, chosen lists.

function nameCells(table) {
  const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
  for (const cell of table.querySelectorAll("tbody td")) {
    const row = [...cell.parentElement.children];
    const shift = heads.length - row.length;
    for (const control of cell.querySelectorAll("input:not([type=hidden]), select, textarea")) {
      if (!control.labels?.length) control.setAttribute("aria-label", heads[row.indexOf(cell) + shift] || cell.className);
    }
  }
}

function nameAll() {
  for (const table of document.querySelectorAll(".tabular table")) nameCells(table);
  const search = document.getElementById("searchbar");
  const button = search?.form.querySelector("[type=submit]");
  if (button) search.setAttribute("aria-label", button.value);
  const lists = ".select2-search__field, .select2-selection[role=combobox], .select2-selection__rendered[role=textbox]";
  for (const field of document.querySelectorAll(lists)) {
    const label = field.closest(".form-row, .fieldBox, td")?.querySelector("label");
    if (!label || field.ariaLabel) continue;
    field.removeAttribute("aria-labelledby");
    field.ariaLabel = label.textContent.trim();
  }
}

nameAll();
// Rows are added, and lists are dressed up, some time after the page has loaded.
let isDue = false;
new MutationObserver(() => {
  if (!isDue) requestAnimationFrame(() => ((isDue = false), nameAll()));
  isDue = true;
}).observe(document.body, { childList: true, subtree: true });
