// The chosen call at the side: fetched once, then kept moving by the same news as the tiles.
import { minutesSeconds } from "../lib/time.js";
import { toast } from "../lib/toast.js";
import { badgeOf, copy, setBadge, setText } from "./parts.js";

export class Panel {
  // urlOf(id): its fragment; onChange(id or null): it was opened, changed or closed
  constructor({ urlOf, liveUrl, onChange }) {
    this.urlOf = urlOf;
    this.liveUrl = liveUrl;
    this.onChange = onChange;
    this.place = document.getElementById("panel");
    this.id = Number(this.place.querySelector("[data-call]")?.dataset.call ?? 0) || null;
    this.place.addEventListener("click", (event) => {
      if (!event.target.closest("[data-panel-close]")) return;
      event.preventDefault();
      this.close();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.id && !document.querySelector("dialog[open]")) this.close();
    });
    this.place.addEventListener("submit", (event) => {
      if (!("recordingControl" in event.target.dataset)) return;
      event.preventDefault();
      this.#control(event.target);
    });
    window.addEventListener("popstate", () => {
      const asked = Number(new URLSearchParams(location.search).get("call")) || null;
      if (asked === this.id) return;
      if (asked) this.#show(asked);
      else this.#hide();
    });
    if (this.id) {
      this.#toEnd();
      onChange(this.id);
    }
  }

  async open(id) {
    const query = new URLSearchParams(location.search);
    query.set("call", String(id));
    history.pushState(null, "", `${this.liveUrl}?${query}`);
    await this.#show(id);
    this.place.focus({ preventScroll: true });
  }

  close() {
    const from = document.querySelector(`.tile-link[data-call="${this.id}"]`);
    history.pushState(null, "", this.liveUrl);
    this.#hide();
    from?.focus();
  }

  // After a new snapshot: what was said meanwhile is in the database.
  async refresh() {
    if (this.id) await this.#show(this.id);
  }

  applyCall(card) {
    if (card.id !== this.id) return;
    const inside = this.place.firstElementChild;
    setBadge(inside.querySelector("[data-badge]"), badgeOf(card));
    const timer = inside.querySelector(".panel-head time");
    if (card.ended_at) {
      delete timer.dataset.since;
      setText(timer, minutesSeconds((Date.parse(card.ended_at) - Date.parse(card.answered_at ?? card.created_at)) / 1000));
      inside.querySelector("[data-end]")?.remove();
      inside.querySelector("[data-recording-control]")?.remove();
    } else if (card.answered_at) timer.dataset.since = card.answered_at;
  }

  applyTurn(turn) {
    if (turn.call_id !== this.id || turn.text.trim() === "") return;
    const inside = this.place.firstElementChild;
    const talk = inside.querySelector("[data-talk]");
    const isAtEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 60;
    const list = inside.querySelector("[data-turns]");
    const old = list.querySelector(`[data-item="${CSS.escape(turn.item_id)}"]`);
    const item = old ?? this.#newTurn(turn, inside);
    item.classList.toggle("turn-done", turn.is_final);
    setText(item.querySelector(".turn-text"), turn.text);
    item.querySelector(".turn-cut").hidden = !turn.was_interrupted;
    if (!old) {
      const after = [...list.children].find((other) => Number(other.dataset.started ?? 0) > turn.started_ms);
      list.insertBefore(item, after ?? null);
    }
    inside.querySelector("[data-silent]").hidden = true;
    if (isAtEnd) this.#toEnd();
  }

  // Pausing the recording: the session does it a moment later, and then the panel says so.
  async #control(form) {
    const button = form.querySelector("button");
    button.disabled = true;
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" } });
    if (answer.ok) toast((await answer.json()).message, "ok");
    setTimeout(() => this.refresh(), 800);
  }

  #newTurn(turn, inside) {
    const item = copy(`turn-${turn.speaker}`);
    item.dataset.item = turn.item_id;
    item.dataset.started = String(turn.started_ms);
    if (turn.language) item.lang = turn.language;
    const name = { ai: inside.dataset.aiName, caller: inside.dataset.callerName }[turn.speaker];
    if (name) setText(item.querySelector(".turn-who"), name);
    setText(item.querySelector("time"), minutesSeconds(turn.started_ms / 1000));
    return item;
  }

  async #show(id) {
    const answer = await fetch(this.urlOf(id), { headers: { "X-Requested-With": "fetch" } });
    if (!answer.ok) return;
    const html = await answer.text();
    this.id = id;
    this.place.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.children);
    this.place.hidden = false;
    for (const mark of this.place.querySelectorAll(".turn:not(:has(.turn-cut))")) {
      const cut = copy("turn-ai").querySelector(".turn-cut");
      cut.hidden = true;
      mark.querySelector(".turn-head").append(cut);
    }
    this.#toEnd();
    this.onChange(id);
  }

  #hide() {
    this.id = null;
    this.place.hidden = true;
    this.place.replaceChildren();
    this.onChange(null);
  }

  #toEnd() {
    const talk = this.place.querySelector("[data-talk]");
    if (talk) talk.scrollTop = talk.scrollHeight;
  }
}
