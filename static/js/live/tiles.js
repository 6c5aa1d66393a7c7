// The calls as tiles. A tile is built once and changed in place; only a new order moves it.
import { minutesSeconds } from "../lib/time.js";
import { badgeOf, copy, fill, setBadge, setText } from "./parts.js";
import { inOrder, quietS } from "./state.js";

export class Tiles {
  constructor(board, words, liveUrl) {
    this.board = board;
    this.words = words;
    this.liveUrl = liveUrl;
    this.list = document.getElementById("tiles");
    this.none = document.getElementById("no-calls");
    this.more = document.getElementById("more");
    this.tiles = new Map();
  }

  draw(nowMs) {
    const order = inOrder(this.board.calls, nowMs);
    const wanted = new Set(order.map((call) => call.card.id));
    for (const [id, tile] of this.tiles) {
      if (!wanted.has(id)) {
        tile.element.remove();
        this.tiles.delete(id);
      }
    }
    let place = this.list.firstElementChild;
    for (const call of order) {
      const tile = this.tiles.get(call.card.id) ?? this.#build(call.card.id);
      this.#update(tile, call, nowMs);
      if (tile.element === place) place = place.nextElementSibling;
      else this.#move(tile.element, place);
    }
    this.none.hidden = order.length > 0;
    this.list.hidden = order.length === 0;
    this.#countHidden();
  }

  // The once-a-second work: clocks, and who has fallen silent.
  tick(nowMs) {
    let isMoved = false;
    for (const [id, call] of this.board.calls) {
      const tile = this.tiles.get(id);
      if (!tile) continue;
      this.#time(tile, call, nowMs);
      isMoved ||= this.#quiet(tile, call, nowMs);
    }
    if (isMoved) this.draw(nowMs);
  }

  choose(id) {
    for (const [other, tile] of this.tiles) tile.element.toggleAttribute("data-chosen", other === id);
    this.chosen = id;
  }

  // Moves the focus among the tiles: step 1 or -1.
  step(step) {
    const links = [...this.list.querySelectorAll(".tile-link")];
    if (!links.length) return;
    const at = links.indexOf(document.activeElement?.closest?.(".tile")?.querySelector(".tile-link"));
    links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step))].focus();
  }

  #build(id) {
    const element = copy("tile-template");
    const find = (name) => element.querySelector(`[data-${name}]`);
    const tile = {
      element,
      name: find("name"),
      time: find("time"),
      phone: find("phone"),
      campaign: find("campaign"),
      badge: find("badge"),
      quiet: find("quiet"),
      agent: find("agent"),
      who: element.querySelector(".tile-who"),
      language: find("language"),
      lines: find("lines"),
    };
    tile.name.href = `${this.liveUrl}?call=${id}`;
    tile.name.dataset.call = String(id);
    element.toggleAttribute("data-chosen", id === this.chosen);
    this.tiles.set(id, tile);
    return tile;
  }

  // insertBefore takes the focus away in browsers without moveBefore; give it back.
  #move(element, place) {
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    this.list.insertBefore(element, place);
    focused?.focus({ preventScroll: true });
  }

  #update(tile, call, nowMs) {
    const { card } = call;
    setText(tile.name, card.contact_name || this.words.unknownPerson);
    setText(tile.phone, card.phone_masked);
    setText(tile.campaign, card.campaign_name);
    setText(tile.agent, card.agent_name);
    tile.who.hidden = !card.agent_name;
    setText(tile.language, card.language.toUpperCase());
    setBadge(tile.badge, badgeOf(card));
    tile.element.dataset.state = card.state;
    this.#time(tile, call, nowMs);
    this.#quiet(tile, call, nowMs);
    this.#lines(tile, call);
  }

  #time(tile, { card }, nowMs) {
    const from = Date.parse(card.answered_at ?? card.created_at);
    const to = card.ended_at ? Date.parse(card.ended_at) : nowMs;
    setText(tile.time, minutesSeconds((to - from) / 1000));
  }

  #quiet(tile, call, nowMs) {
    const seconds = quietS(call, nowMs);
    const wasHidden = tile.quiet.hidden;
    tile.quiet.hidden = seconds === 0;
    if (seconds) setText(tile.quiet.querySelector("span"), fill(this.words.quiet, { t: minutesSeconds(seconds) }));
    return wasHidden !== tile.quiet.hidden;
  }

  #lines(tile, call) {
    while (tile.lines.children.length > call.turns.length) tile.lines.lastElementChild.remove();
    while (tile.lines.children.length < call.turns.length) tile.lines.append(copy("line-template"));
    call.turns.forEach((turn, n) => {
      const line = tile.lines.children[n];
      line.dataset.speaker = turn.speaker;
      if (line.lang !== turn.language) line.lang = turn.language;
      setText(line.querySelector(".line-who"), this.words.speakers[turn.speaker] ?? turn.speaker);
      setText(line.querySelector(".line-text"), turn.is_final ? turn.text : `${turn.text} …`);
    });
  }

  // On a wall nobody scrolls: tiles that do not fit are left out, and counted.
  #countHidden() {
    if (!document.body.classList.contains("wall")) return;
    const { bottom } = this.list.getBoundingClientRect();
    let n = 0;
    for (const { element } of this.tiles.values()) {
      const isBelow = element.getBoundingClientRect().bottom > bottom + 1;
      element.toggleAttribute("data-below", isBelow);
      n += Number(isBelow);
    }
    this.more.hidden = n === 0;
    if (n) setText(this.more, fill(this.more.dataset.word, { n }));
  }
}
