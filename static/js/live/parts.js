// Copies of the page's templates, and changes that touch the page only where something differs.

export function copy(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setBadge(holder, name) {
  if (holder.dataset.badge === name) return;
  holder.dataset.badge = name;
  const template = document.getElementById(name);
  holder.replaceChildren(...(template ? [copy(name)] : []));
}

export function badgeOf(card) {
  return card.state === "ended" && card.outcome ? `outcome-${card.outcome}` : `leg-${card.state}`;
}

export function fill(words, values) {
  return words.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

const names = document.getElementById("service-names");
const nameOf = names ? JSON.parse(names.textContent) : {};
const named = new Intl.ListFormat(document.documentElement.lang, { type: "conjunction" });

export function serviceNames(codes) {
  return named.format(codes.map((code) => nameOf[code] ?? code.replace(/^http:/, "")));
}

const numbers = new Intl.NumberFormat(document.documentElement.lang);

export function number(n) {
  return numbers.format(n);
}
