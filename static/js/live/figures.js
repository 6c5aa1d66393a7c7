// The strip on top, counted from the board.
import { minutesSeconds } from "../lib/time.js";
import { fill, number, setText } from "./parts.js";

export class Figures {
  constructor(board, words) {
    this.board = board;
    this.words = words;
    this.values = new Map([...document.querySelectorAll("[data-figure]")].map((el) => [el.dataset.figure, el]));
    this.hints = new Map([...document.querySelectorAll("[data-hint]")].map((el) => [el.dataset.hint, el]));
    this.unit = this.values.get("answered").parentElement.querySelector("small");
    this.news = document.getElementById("news");
    this.saidMs = 0;
  }

  draw(nowMs) {
    const figures = this.board.figures(nowMs);
    setText(this.values.get("now"), number(figures.now));
    setText(this.values.get("talking"), number(figures.talking));
    setText(this.values.get("ringing"), number(figures.ringing));
    const share = figures.answeredShare;
    setText(this.values.get("answered"), share === null ? "–" : number(Math.round(100 * share)));
    this.unit.hidden = share === null;
    setText(this.values.get("success"), number(figures.n_success));
    this.#hint("now", figures.waiting ? fill(this.words.waiting, { n: number(figures.waiting) }) : "");
    this.#hint("talking", figures.talking ? fill(this.words.longest, { t: minutesSeconds(figures.longestS) }) : "");
    this.#hint("ringing", "");
    this.#hint("success", "");
    const ofTried = fill(this.words.of, { a: number(figures.n_answered), b: number(figures.n_tried) });
    const machines = figures.n_voicemail ? `, ${fill(this.words.voicemail, { n: number(figures.n_voicemail) })}` : "";
    this.#hint("answered", figures.n_tried ? ofTried + machines : "");
    this.#say(figures, nowMs);
  }

  #hint(name, text) {
    setText(this.hints.get(name), text || "\u00a0");
  }

  // For those who listen: the two figures that matter, at most every half minute.
  #say(figures, nowMs) {
    if (nowMs - this.saidMs < 30_000) return;
    this.saidMs = nowMs;
    setText(this.news, fill(this.words.news, { n: number(figures.now), m: number(figures.talking) }));
  }
}
