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
  for (const field of document.querySelectorAll(".select2-search__field:not([aria-label])")) {
    const label = field.closest(".form-row, .fieldBox, td")?.querySelector("label");
    if (label) field.setAttribute("aria-label", label.textContent.trim());
  }
}

nameAll();
window.addEventListener("load", nameAll);
document.addEventListener("formset:added", nameAll);
