// The sections of a form that hold one language each, as tabs; without this script they stay one below the other.
const sections = [...document.querySelectorAll("fieldset.language-tab")];

// A text is missing where English has one, or must have one; a voice has a usual one.
function isMissing(section) {
  return [...section.querySelectorAll("input[type=text], textarea")].some((field) => {
    const name = field.id.replace(/_[a-z]{2}$/, "");
    const english = document.getElementById(`${name}_en`);
    if (field.value.trim() || name === "id_voice") return false;
    return english === field ? field.required : Boolean(english?.value.trim());
  });
}

function start() {
  const list = document.createElement("div");
  list.className = "language-tabs";
  list.setAttribute("role", "tablist");
  const tabs = sections.map((section, n) => {
    const heading = section.querySelector(".fieldset-heading, h2, h3");
    const tab = document.createElement("button");
    tab.type = "button";
    tab.setAttribute("role", "tab");
    tab.id = `language-tab-${n}`;
    section.id ||= `language-section-${n}`;
    tab.setAttribute("aria-controls", section.id);
    tab.textContent = heading?.textContent.trim() ?? "";
    section.setAttribute("role", "tabpanel");
    section.setAttribute("aria-labelledby", tab.id);
    if (heading) heading.hidden = true;
    const mark = () => tab.classList.toggle("is-missing", isMissing(section));
    section.addEventListener("input", mark);
    mark();
    tab.classList.toggle("has-errors", Boolean(section.querySelector(".errors")));
    list.append(tab);
    return tab;
  });
  const show = (chosen, { focus = false } = {}) => {
    tabs.forEach((tab, n) => {
      const isChosen = n === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      sections[n].hidden = !isChosen;
    });
    if (focus) tabs[chosen].focus();
  };
  tabs.forEach((tab, n) => {
    tab.addEventListener("click", () => show(n));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) show((n + step + tabs.length) % tabs.length, { focus: true });
    });
  });
  sections[0].before(list);
  const own = sections.findIndex((section) => section.classList.contains(`language-tab-${document.documentElement.lang}`));
  const wrong = sections.findIndex((section) => section.querySelector(".errors"));
  show(wrong >= 0 ? wrong : Math.max(own, 0));
}

if (sections.length > 1) start();
