// Five steps on the first visit. Skipped or finished, it does not come back.
import { remember } from "../lib/cookie.js";
import { fill } from "./parts.js";

export function startTour() {
  const tour = document.getElementById("tour");
  if (!tour) return;
  const steps = [...tour.querySelectorAll("[data-step]")];
  const next = tour.querySelector("[data-tour-next]");
  const count = tour.querySelector("[data-tour-count]");
  let at = 0;
  const show = () => {
    steps.forEach((step, n) => (step.hidden = n !== at));
    count.textContent = fill(count.dataset.word, { a: at + 1, b: steps.length });
    if (at === steps.length - 1) next.textContent = next.dataset.last;
    for (const part of document.querySelectorAll("[data-tour]")) {
      part.toggleAttribute("data-tour-now", part.dataset.tour === String(at + 1));
    }
  };
  const end = () => {
    remember("tour", "done");
    tour.close();
  };
  next.addEventListener("click", () => {
    at += 1;
    if (at < steps.length) show();
    else end();
  });
  tour.querySelector("[data-tour-skip]").addEventListener("click", end);
  tour.addEventListener("close", () => {
    remember("tour", "done");
    for (const part of document.querySelectorAll("[data-tour-now]")) part.removeAttribute("data-tour-now");
  });
  show();
  tour.showModal();
}
