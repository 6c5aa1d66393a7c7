// Buttons that reach outside: the server words the question with fresh counts, the person confirms, the server acts.
import { openDialog } from "../lib/dialogs.js";
import { toast } from "../lib/toast.js";

export function startAsking(unreachable) {
  const place = document.getElementById("question");
  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-ask]") : null;
    if (!button) return;
    event.preventDefault();
    const html = await answered(fetch(button.dataset.ask, { headers: { "X-Requested-With": "fetch" } }), unreachable);
    if (!html) return;
    const dialog = new DOMParser().parseFromString(html, "text/html").querySelector("dialog");
    place.replaceChildren(dialog);
    dialog.querySelector("form").addEventListener("submit", (submitted) => act(submitted, dialog, unreachable));
    dialog.addEventListener("close", () => button.isConnected && button.focus());
    openDialog(dialog);
  });
}

async function act(event, dialog, unreachable) {
  event.preventDefault();
  const form = event.target;
  const sent = fetch(form.action, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" } });
  dialog.close();
  const text = await answered(sent, unreachable);
  if (text) toast(JSON.parse(text).message, "ok");
}

// The body of a good answer; of a bad one the words it carries are shown.
async function answered(request, unreachable) {
  let answer;
  try {
    answer = await request;
  } catch {
    toast(unreachable, "bad");
    return "";
  }
  const body = await answer.text();
  if (answer.ok) return body;
  const isJson = answer.headers.get("content-type")?.includes("json");
  toast(isJson ? JSON.parse(body).error.message : unreachable, "bad");
  return "";
}
