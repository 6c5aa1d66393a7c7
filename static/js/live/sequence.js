// Deltas in their order. Two servers may send 8 before 7: a short wait sorts that out; a real gap asks for a snapshot.

const PATIENCE_MS = 400;

export class Sequence {
  // apply(delta) in order; resync() when one is missing for good
  constructor({ apply, resync }) {
    this.apply = apply;
    this.resync = resync;
    this.ahead = new Map();
    this.timer = 0;
    this.last = null; // null: no snapshot yet, deltas wait
  }

  start(seq) {
    this.last = seq;
    clearTimeout(this.timer);
    this.timer = 0;
    for (const early of [...this.ahead.keys()]) if (early <= seq) this.ahead.delete(early);
    this.#drain();
  }

  stop() {
    this.last = null;
    this.ahead.clear();
    clearTimeout(this.timer);
    this.timer = 0;
  }

  take(delta) {
    if (this.last !== null && delta.seq <= this.last) return;
    this.ahead.set(delta.seq, delta);
    if (this.last !== null) this.#drain();
  }

  // The newest number there is, as the server's beat says: it shows a lost last delta.
  heard(seq) {
    if (this.last !== null && seq > this.last) this.#waitForIt();
  }

  #drain() {
    while (this.ahead.has(this.last + 1)) {
      const delta = this.ahead.get(this.last + 1);
      this.ahead.delete(delta.seq);
      this.last = delta.seq;
      this.apply(delta);
    }
    if (this.ahead.size) this.#waitForIt();
    else {
      clearTimeout(this.timer);
      this.timer = 0;
    }
  }

  #waitForIt() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.stop();
      this.resync();
    }, PATIENCE_MS);
  }
}
