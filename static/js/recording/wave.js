// The wave: two lanes on a canvas, drawn once for each size and theme; where it stands is a line above it.
import { minutesSeconds } from "../lib/time.js";

const BAR = 2;
const GAP = 1;
const FAINT = 0.38;
// Heights in CSS px: a name above each lane, the marks below both. recording.css places the names by the same figures.
const NAME = 18;
const MARKS = 14;

export class Wave {
  // peaks: [caller, AI], 0–255 · spans: [[from, to]] not recorded · marks: [{at, tone, label}] · all times in seconds
  constructor(place, { peaks, spans, marks, duration, missing }) {
    this.place = place;
    this.peaks = peaks;
    this.spans = spans;
    this.marks = marks;
    this.duration = duration;
    this.missing = missing;
    this.onSeek = () => {};
    this.canvas = place.querySelector("canvas");
    this.tip = place.querySelector("[data-tip]");
    this.at = 0;
    this.drawnTo = -1;
    new ResizeObserver(() => this.#redraw()).observe(place);
    new MutationObserver(() => this.#redraw()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
    this.#listen();
  }

  moveTo(seconds) {
    this.at = seconds;
    const x = Math.round((seconds / this.duration) * this.canvas.width) || 0;
    if (x !== this.drawnTo) this.#paint(x);
  }

  #listen() {
    const { place } = this;
    place.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      place.setPointerCapture(event.pointerId);
      this.isHeld = true;
      this.onSeek(this.#secondsAt(event));
    });
    place.addEventListener("pointermove", (event) => {
      if (this.isHeld) this.onSeek(this.#secondsAt(event));
      this.#point(event);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      place.addEventListener(name, () => {
        this.isHeld = false;
      });
    }
    place.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
    });
  }

  #secondsAt(event) {
    const box = this.canvas.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.duration;
  }

  // What is under the pointer: its time, and what happened there.
  #point(event) {
    if (event.pointerType === "touch") return;
    const seconds = Math.min(Math.max(0, this.#secondsAt(event)), this.duration);
    const near = (6 / this.canvas.clientWidth) * this.duration;
    const words = this.marks.filter((mark) => Math.abs(mark.at - seconds) <= near).map((mark) => mark.label);
    if (this.spans.some(([from, to]) => seconds >= from && seconds <= to)) words.unshift(this.missing);
    this.tip.textContent = [minutesSeconds(seconds), ...new Set(words)].join(" · ");
    this.tip.hidden = false;
    const x = event.clientX - this.place.getBoundingClientRect().left;
    const room = this.place.clientWidth - this.tip.offsetWidth - 4;
    this.tip.style.setProperty("--x", `${Math.max(4, Math.min(x - this.tip.offsetWidth / 2, room))}px`);
  }

  // Bars once for this size and theme, in full and in faint colours; painting copies a piece of each.
  #redraw() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.place.clientWidth * ratio);
    const height = Math.round(this.place.clientHeight * ratio);
    if (!width || !height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    const style = getComputedStyle(this.place);
    const colours = [...this.place.querySelectorAll("[data-lane]")].map((lane) => getComputedStyle(lane).color);
    this.ink = style.color;
    this.full = this.#bars(width, height, ratio, colours);
    this.hatching = this.#hatching(width, height, ratio, style.outlineColor);
    this.#paint(Math.round((this.at / this.duration) * width) || 0);
  }

  #bars(width, height, ratio, colours) {
    const canvas = new OffscreenCanvas(width, height);
    const pen = canvas.getContext("2d");
    const step = (BAR + GAP) * ratio;
    const n = Math.max(1, Math.floor(width / step));
    const lane = (height - MARKS * ratio) / 2;
    const room = (lane - NAME * ratio) / 2;
    this.peaks.forEach((peaks, side) => {
      pen.fillStyle = colours[side];
      for (let i = 0; i < n; i += 1) {
        const from = Math.floor((i / n) * peaks.length);
        const to = Math.max(from + 1, Math.floor(((i + 1) / n) * peaks.length));
        let loudest = 0;
        for (let k = from; k < to && k < peaks.length; k += 1) loudest = Math.max(loudest, peaks[k]);
        const half = Math.max(ratio / 2, Math.sqrt(loudest / 255) * room); // ears are not linear
        pen.fillRect(i * step, (side + 1) * lane - room - half, BAR * ratio, 2 * half);
      }
    });
    return canvas;
  }

  #hatching(width, height, ratio, colour) {
    const canvas = new OffscreenCanvas(width, height);
    const pen = canvas.getContext("2d");
    pen.strokeStyle = colour;
    pen.lineWidth = 1.25 * ratio;
    for (const [from, to] of this.spans) {
      const left = (from / this.duration) * width;
      const right = Math.max(left + 3 * ratio, (to / this.duration) * width);
      pen.save();
      pen.beginPath();
      pen.rect(left, 0, right - left, height);
      pen.clip();
      pen.beginPath();
      for (let x = left - height; x < right; x += 7 * ratio) {
        pen.moveTo(x, height);
        pen.lineTo(x + height, 0);
      }
      pen.stroke();
      pen.strokeRect(left, -ratio, right - left, height + 2 * ratio);
      pen.restore();
    }
    return canvas;
  }

  #paint(x) {
    const { width, height } = this.canvas;
    if (!this.full) return;
    this.drawnTo = x;
    const pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    if (x > 0) pen.drawImage(this.full, 0, 0, x, height, 0, 0, x, height);
    pen.globalAlpha = FAINT;
    if (x < width) pen.drawImage(this.full, x, 0, width - x, height, x, 0, width - x, height);
    pen.globalAlpha = 1;
    pen.drawImage(this.hatching, 0, 0);
    this.#marks(pen, width);
    const ratio = window.devicePixelRatio || 1;
    pen.fillStyle = this.ink;
    pen.fillRect(Math.min(Math.max(0, x - ratio), width - 2 * ratio), 0, 2 * ratio, height);
  }

  #marks(pen, width) {
    const ratio = window.devicePixelRatio || 1;
    const middle = this.canvas.height - (MARKS / 2) * ratio;
    pen.fillStyle = this.ink;
    for (const mark of this.marks) {
      const x = (mark.at / this.duration) * width;
      pen.beginPath();
      pen.moveTo(x, middle - 4 * ratio);
      pen.lineTo(x + 4 * ratio, middle);
      pen.lineTo(x, middle + 4 * ratio);
      pen.lineTo(x - 4 * ratio, middle);
      pen.fill();
    }
  }
}
