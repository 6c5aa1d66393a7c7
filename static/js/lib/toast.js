// Short news at the corner. tone: ok, info (both leave by themselves) or bad (stays until dismissed).

const STAYS_MS = 8000;

export function toast(text, tone = "info") {
  const shelf = document.getElementById("toasts");
  const note = document.getElementById(`toast-${tone}`).content.firstElementChild.cloneNode(true);
  note.querySelector("div").textContent = text;
  note.querySelector("button").addEventListener("click", () => note.remove());
  shelf.append(note);
  if (tone !== "bad") leaveLater(note);
}

function leaveLater(note) {
  let timer = 0;
  const wait = () => {
    timer = setTimeout(() => note.remove(), STAYS_MS);
  };
  const stay = () => clearTimeout(timer);
  note.addEventListener("pointerenter", stay);
  note.addEventListener("focusin", stay);
  note.addEventListener("pointerleave", wait);
  note.addEventListener("focusout", wait);
  wait();
}
