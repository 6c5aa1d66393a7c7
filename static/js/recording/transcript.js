// The transcript follows the sound: what is being said is marked and kept in view; a turn or its time jumps there.

const LEAVES_ALONE_MS = 5000; // who scrolls by hand is reading

export class Transcript {
  constructor(list, { onJump }) {
    this.turns = [...list.querySelectorAll(".turn")].map((item) => ({
      item,
      from: Number(item.dataset.started) / 1000,
      to: Number(item.dataset.ended) / 1000,
    }));
    this.current = null;
    this.handAt = -Infinity;
    for (const turn of this.turns) this.#makeJump(turn, list.dataset.jump, onJump);
    for (const name of ["wheel", "touchmove"]) {
      window.addEventListener(name, () => { this.handAt = performance.now(); }, { passive: true });
    }
  }

  follow(seconds, isPlaying) {
    const turn = this.#at(seconds);
    if (turn === this.current) return;
    this.current?.item.removeAttribute("aria-current");
    this.current = turn;
    turn?.item.setAttribute("aria-current", "true");
    if (turn && isPlaying && performance.now() - this.handAt > LEAVES_ALONE_MS) this.#show(turn.item);
  }

  // The one that is being said; between two the one before, so that the mark does not flicker.
  #at(seconds) {
    let found = null;
    for (const turn of this.turns) {
      if (turn.from > seconds + 0.05) break;
      if (seconds <= turn.to || !found || turn.from >= found.from) found = turn;
    }
    return found;
  }

  #show(item) {
    const box = item.getBoundingClientRect();
    const above = document.querySelector(".player")?.getBoundingClientRect().bottom ?? 0;
    if (box.top >= above && box.bottom <= window.innerHeight - 24) return;
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    window.scrollBy({ top: box.top - Math.max(above, 0) - 24, behavior: isCalm ? "auto" : "smooth" });
  }

  #makeJump({ item, from }, words, onJump) {
    const time = item.querySelector("time");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "turn-jump";
    button.textContent = time.textContent;
    button.setAttribute("aria-label", words.replace("%s", time.textContent));
    time.replaceChildren(button);
    item.classList.add("turn-jumps");
    item.addEventListener("click", () => {
      if (window.getSelection().isCollapsed) onJump(from); // not while words are being selected
    });
  }
}
