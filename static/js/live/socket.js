// A socket that comes back by itself: after 1, 2, 4, 8, then every 16 s; at once when the network or the tab returns.

const FIRST_MS = 1000;
const LONGEST_MS = 16_000;
const SILENCE_MS = 25_000; // the server beats every 10 s; this long without a word means that the line is dead
const REFUSED = new Set([4401, 4403]);

export class LiveSocket {
  // handlers: opened(send), message(object), lost(), refused(code)
  constructor(path, handlers) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    this.handlers = handlers;
    this.tries = 0;
    this.retryTimer = 0;
    this.silenceTimer = 0;
    this.isOver = false;
    window.addEventListener("online", () => this.retryNow());
    window.addEventListener("pageshow", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
    this.#connect();
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  retryNow() {
    if (this.isOver || this.socket.readyState <= WebSocket.OPEN) return;
    clearTimeout(this.retryTimer);
    this.#connect();
  }

  #connect() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.#listenForSilence();
    socket.addEventListener("open", () => this.handlers.opened());
    socket.addEventListener("message", (event) => {
      this.tries = 0;
      this.#listenForSilence();
      this.handlers.message(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket) return;
      clearTimeout(this.silenceTimer);
      if (REFUSED.has(event.code)) {
        this.isOver = true;
        this.handlers.refused(event.code);
        return;
      }
      this.handlers.lost();
      const waitMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.tries);
      this.tries += 1;
      this.retryTimer = setTimeout(() => this.#connect(), waitMs * (0.9 + 0.2 * Math.random()));
    });
  }

  #listenForSilence() {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.socket.close(), SILENCE_MS);
  }
}
