// Playing: one <audio>, its buttons, keys, and the time in the address (#t=73).
import { minutesSeconds } from "../lib/time.js";
import { Wave } from "./wave.js";

const STEP_S = 5;
const FAR_S = 30;
const SILENT = 10; // of 255: the hum of a line is below it
const SILENCE_S = 1.5;

export class Player {
  constructor(root) {
    this.root = root;
    this.onMove = () => {};
    this.sound = root.querySelector("[data-sound]");
    this.duration = Number(root.dataset.duration);
    this.isWanted = false;
    this.startAt = 0;
    this.silences = [];
    const facts = (name) => JSON.parse(document.getElementById(`recording-${name}`).textContent);
    this.peaks = facts("peaks");
    this.spans = facts("paused");
    this.silences = silencesOf(this.peaks, this.duration);
    this.wave = new Wave(root.querySelector("[data-wave]"), {
      peaks: this.peaks,
      spans: this.spans,
      marks: facts("marks"),
      duration: this.duration,
      missing: root.dataset.missing,
    });
    this.sound.controls = false;
    root.querySelector("[data-in]").hidden = false;
    this.#listen();
    this.#fromAddress();
    this.#show();
  }

  get now() {
    return this.sound.readyState > 0 ? this.sound.currentTime : this.startAt;
  }

  get isPlaying() {
    return !this.sound.paused && !this.sound.ended;
  }

  toggle() {
    if (this.isPlaying || this.isWanted) this.pause();
    else this.play();
  }

  async play() {
    this.#say("");
    if (this.now >= this.duration - 0.05) this.jump(0);
    this.isWanted = true;
    this.#show();
    try {
      await this.sound.play();
    } catch (error) {
      if (error.name === "AbortError") return; // paused before it began
      this.isWanted = false;
      this.#say(this.root.dataset.failed);
    }
    this.#show();
  }

  pause() {
    this.isWanted = false;
    this.sound.pause();
    this.#show();
    this.#toAddress();
  }

  // seconds from the beginning; plays: begin to play there
  jump(seconds, { plays = false } = {}) {
    const to = Math.min(Math.max(0, seconds), this.duration);
    this.startAt = to;
    if (this.sound.readyState > 0) this.sound.currentTime = to;
    this.#show();
    if (!this.isPlaying) this.#toAddress();
    if (plays && !this.isPlaying) this.play();
  }

  #listen() {
    const { sound, root } = this;
    root.querySelector("[data-toggle]").addEventListener("click", () => this.toggle());
    root.querySelector("[data-speed]").addEventListener("change", (event) => {
      sound.playbackRate = Number(event.target.value);
    });
    root.querySelector("[data-skip]").addEventListener("change", (event) => {
      this.skips = event.target.checked;
    });
    this.wave.onSeek = (seconds) => this.jump(seconds);
    this.wave.place.addEventListener("keydown", (event) => this.#key(event));
    sound.addEventListener("loadedmetadata", () => {
      if (this.startAt) sound.currentTime = this.startAt;
      sound.playbackRate = Number(root.querySelector("[data-speed]").value);
    });
    for (const name of ["play", "playing", "pause", "waiting", "seeked", "ratechange"]) sound.addEventListener(name, () => this.#show());
    sound.addEventListener("playing", () => this.#run());
    sound.addEventListener("ended", () => {
      this.isWanted = false;
      this.#show();
      this.#toAddress();
    });
    sound.addEventListener("error", () => {
      this.isWanted = false;
      this.#say(root.dataset.failed);
      this.#show();
    });
    window.addEventListener("hashchange", () => this.#fromAddress());
    window.addEventListener("pagehide", () => this.#toAddress());
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = {
      ArrowRight: this.now + STEP_S,
      ArrowUp: this.now + STEP_S,
      ArrowLeft: this.now - STEP_S,
      ArrowDown: this.now - STEP_S,
      PageUp: this.now + FAR_S,
      PageDown: this.now - FAR_S,
      Home: 0,
      End: this.duration,
    }[event.key];
    if (to !== undefined) this.jump(to);
    else if (event.key === " " || event.key === "Enter") this.toggle();
    else return;
    event.preventDefault();
  }

  // Frame by frame while it plays: timeupdate comes four times a second, which the eye sees.
  #run() {
    if (this.isRunning) return;
    this.isRunning = true;
    const step = () => {
      if (!this.isPlaying) {
        this.isRunning = false;
        return;
      }
      if (this.skips) this.#skip();
      this.#show();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  #skip() {
    const silence = this.silences.find(([from, to]) => this.now >= from && this.now < to - 0.3);
    if (silence) this.sound.currentTime = silence[1] - 0.2;
  }

  #show() {
    const { root, sound } = this;
    const state = this.isPlaying || this.isWanted ? (sound.readyState < 3 ? "waiting" : "playing") : "paused";
    if (root.dataset.state !== state) {
      root.dataset.state = state;
      root.querySelector("[data-toggle]").setAttribute("aria-label", state === "paused" ? root.dataset.play : root.dataset.pause);
    }
    const text = minutesSeconds(this.now);
    const label = root.querySelector("[data-now]");
    if (label.textContent !== text) {
      label.textContent = text;
      const place = this.wave.place;
      place.setAttribute("aria-valuenow", String(Math.round(this.now)));
      place.setAttribute("aria-valuetext", root.dataset.of.replace("%s", text).replace("%s", minutesSeconds(this.duration)));
    }
    this.wave.moveTo(this.now);
    this.onMove(this.now, this.isPlaying);
  }

  #say(words) {
    this.root.querySelector("[data-word]").textContent = words;
  }

  #toAddress() {
    const hash = this.now >= 1 ? `#t=${Math.floor(this.now)}` : "";
    if (location.hash !== hash) history.replaceState(history.state, "", location.pathname + location.search + hash);
  }

  #fromAddress() {
    const found = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
    if (found) this.jump(Number(found[1]));
  }
}

// Where neither side says anything for a while: [[from, to], …] in seconds.
export function silencesOf([left = [], right = []], duration) {
  const share = duration / Math.max(left.length, 1);
  const found = [];
  let begin = null;
  for (let i = 0; i <= left.length; i += 1) {
    const isSilent = i < left.length && Math.max(left[i], right[i]) < SILENT;
    if (isSilent && begin === null) begin = i;
    if (!isSilent && begin !== null) {
      if ((i - begin) * share >= SILENCE_S) found.push([begin * share, i * share]);
      begin = null;
    }
  }
  return found;
}
