// Campaigns with how far they got, and the buttons their state allows.
import { copy, fill, number, serviceNames, setBadge, setText } from "./parts.js";

const ORDER = ["running", "paused", "draft", "stopped", "completed"];

export class Campaigns {
  constructor(board) {
    this.board = board;
    this.list = document.getElementById("campaigns");
    this.none = document.getElementById("no-campaigns");
    this.items = new Map();
  }

  draw() {
    const cards = [...this.board.campaigns.values()];
    cards.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || b.id - a.id);
    for (const [id, item] of this.items) {
      if (!this.board.campaigns.has(id)) {
        item.remove();
        this.items.delete(id);
      }
    }
    cards.forEach((card, n) => {
      const item = this.items.get(card.id) ?? this.#build(card.id);
      this.#update(item, card);
      if (this.list.children[n] !== item) this.list.insertBefore(item, this.list.children[n] ?? null);
    });
    this.none.hidden = cards.length > 0;
  }

  #build(id) {
    const item = copy("campaign-template");
    for (const button of item.querySelectorAll("[data-ask]")) {
      button.dataset.ask = button.dataset.ask.replace("/0/", `/${id}/`);
      button.href = button.dataset.ask;
    }
    item.querySelector("[data-name]").href = `/campaigns/${id}/`;
    this.items.set(id, item);
    return item;
  }

  #update(item, card) {
    const counts = { ...card, n_later: card.n_retry + card.n_callback };
    setText(item.querySelector("[data-name]"), card.name);
    setBadge(item.querySelector("[data-badge]"), `campaign-${card.state}`);
    for (const figure of item.querySelectorAll("[data-n]")) setText(figure, number(counts[figure.dataset.n]));
    const parts = { done: card.n_done, dialling: card.n_dialling, later: counts.n_later, blocked: card.n_blocked };
    let from = 0;
    for (const rect of item.querySelectorAll("rect")) {
      const share = card.n_people ? (100 * parts[rect.dataset.part]) / card.n_people : 0;
      rect.setAttribute("x", `${from}%`);
      rect.setAttribute("width", `${share}%`);
      from += share;
    }
    const notice = item.querySelector("[data-carriers]");
    const { carriers_down: down, carriers_instead: instead } = card;
    const words = instead.length ? notice.dataset.wordsInstead : notice.dataset.wordsWaiting;
    setText(notice.querySelector("[data-carriers-words]"), fill(words, { down: serviceNames(down), instead: serviceNames(instead) }));
    notice.hidden = down.length === 0;
    for (const button of item.querySelectorAll("[data-when]")) {
      button.hidden = !button.dataset.when.split(" ").includes(card.state);
    }
  }
}
