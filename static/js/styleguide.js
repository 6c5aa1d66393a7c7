// Shows what a script can do with the parts.
import { toast } from "./lib/toast.js";

for (const button of document.querySelectorAll("[data-toast]")) {
  button.addEventListener("click", () => toast(button.dataset.text, button.dataset.toast));
}
