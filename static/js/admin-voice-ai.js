// Offer what the chosen provider has: its models and voices as suggestions, and no fields that mean nothing to it.
const facts = JSON.parse(document.getElementById("voice-ai-facts")?.textContent ?? "null");

function suggest(input, values, { isUsual = true } = {}) {
  const id = `${input.id}-choices`;
  let list = document.getElementById(id);
  if (!list) {
    list = document.createElement("datalist");
    list.id = id;
    input.after(list);
    input.setAttribute("list", id);
    input.autocomplete = "off";
  }
  list.replaceChildren(...values.map((value) => Object.assign(document.createElement("option"), { value })));
  if (isUsual) input.placeholder = values[0] ?? "";
}

// Of a pipeline that lacks a language, the second voice's provider speaks it.
function voicesOf(provider, language, speech) {
  const own = facts.providers[provider]?.voices ?? {};
  const found = own[language] ?? own[facts.any] ?? [];
  if (found.length || !facts.providers[provider]?.isPipeline) return found;
  const lent = facts.providers[speech.split(":")[0]]?.voices ?? {};
  return lent[language] ?? lent[facts.any] ?? [];
}

// With its label and its help: of several in a line, they stand beside the box of the field.
function show(field, isShown) {
  const line = field.closest(".form-row");
  const row = field.closest(".fieldBox")?.parentElement ?? line;
  if (!row) return;
  row.hidden = !isShown && !field.value && !row.querySelector(".errors, .errorlist");
  const shared = line.querySelector(".form-multiline");
  if (shared) line.hidden = [...shared.children].every((part) => part.hidden);
}

function follow(prefix) {
  const field = (name) => document.getElementById(`${prefix}${name}`);
  const provider = field("provider");
  if (!provider) return;
  const update = () => {
    const known = facts.providers[provider.value];
    if (!known) return;
    if (field("model")) suggest(field("model"), known.models);
    for (const language of ["en", "es", "cs"]) {
      const voice = field(`voice_${language}`);
      if (voice) suggest(voice, voicesOf(provider.value, language, field("speech")?.value ?? ""));
    }
    for (const name of ["llm", "speech"]) {
      if (!field(name)) continue;
      suggest(field(name), known.isPipeline ? facts[name === "llm" ? "llms" : "speech"] : []);
      show(field(name), known.isPipeline);
    }
  };
  if (field("review_llm")) suggest(field("review_llm"), facts.llms, { isUsual: false });
  provider.addEventListener("change", update);
  field("speech")?.addEventListener("change", update);
  update();
}

if (facts) {
  follow("id_");
  document.querySelectorAll('[id^="id_fallbacks-"][id$="-provider"]').forEach((select) => {
    if (!select.id.includes("__prefix__")) follow(select.id.slice(0, -"provider".length));
  });
  document.addEventListener("formset:added", (event) => {
    const select = event.target.querySelector('[id$="-provider"]');
    if (select) follow(select.id.slice(0, -"provider".length));
  });
}
