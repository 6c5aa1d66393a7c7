// The live page: a snapshot to begin with, then deltas; when the line is lost, a grey veil with the age of what is shown.
import { showConnection } from "./lib/connection.js";
import { minutesSeconds, serverNow, setServerTime } from "./lib/time.js";
import { startAsking } from "./live/ask.js";
import { Campaigns } from "./live/campaigns.js";
import { Figures } from "./live/figures.js";
import { Panel } from "./live/panel.js";
import { copy, fill, serviceNames, setText } from "./live/parts.js";
import { Sequence } from "./live/sequence.js";
import { LiveSocket } from "./live/socket.js";
import { Board } from "./live/state.js";
import { Tiles } from "./live/tiles.js";
import { startTour } from "./live/tour.js";

const VEIL_AFTER_MS = 3000; // a shorter gap is nobody's concern

const place = document.getElementById("board");
const words = {
  of: place.dataset.wordOf,
  voicemail: place.dataset.wordVoicemail,
  waiting: place.dataset.wordWaiting,
  longest: place.dataset.wordLongest,
  quiet: place.dataset.wordQuiet,
  news: place.dataset.wordNews,
  unknownPerson: place.dataset.wordUnknownPerson,
  speakers: Object.fromEntries(
    ["ai", "caller", "agent", "system"].map((speaker) => [speaker, copy(`turn-${speaker}`).querySelector(".turn-who").textContent]),
  ),
};

const board = new Board();
const tiles = new Tiles(board, words, place.dataset.liveUrl);
const campaigns = new Campaigns(board);
const figures = new Figures(board, words);
const panel = new Panel({
  urlOf: (id) => place.dataset.panelUrl.replace("/0/", `/${id}/`),
  liveUrl: place.dataset.liveUrl,
  onChange: (id) => {
    document.body.toggleAttribute("data-panel-open", id !== null);
    tiles.choose(id);
  },
});

// ── Drawing: however many deltas come, the page changes at most once per frame ─────────────────────────────
const dirty = new Set();

function redraw(...what) {
  if (dirty.size === 0) requestAnimationFrame(draw);
  for (const part of what) dirty.add(part);
}

function draw() {
  const nowMs = serverNow();
  if (dirty.has("calls")) tiles.draw(nowMs);
  if (dirty.has("calls")) figures.draw(nowMs);
  if (dirty.has("campaigns")) campaigns.draw();
  dirty.clear();
}

// ── News ───────────────────────────────────────────────────────────────────────────────────────────────────
const apply = {
  call(card) {
    if (!board.applyCall(card, serverNow())) resyncSoon();
    panel.applyCall(card);
    redraw("calls");
  },
  turn(turn) {
    board.applyTurn(turn, serverNow());
    panel.applyTurn(turn);
    redraw("calls");
  },
  campaign(card) {
    board.applyCampaign(card);
    redraw("campaigns");
  },
};

const sequence = new Sequence({
  apply: (delta) => {
    board.seq = delta.seq;
    apply[delta.type]?.(delta.data);
  },
  resync: () => socket.send({ type: "subscribe" }),
});

const servicesAway = document.getElementById("services-away");

function showServices(away) {
  setText(servicesAway.querySelector("span"), fill(servicesAway.dataset.words, { services: serviceNames(away) }));
  servicesAway.hidden = away.length === 0;
}

let resyncTimer = 0;
function resyncSoon() {
  resyncTimer ||= setTimeout(() => {
    resyncTimer = 0;
    socket.send({ type: "subscribe" });
  }, 5000);
}

function receive(message) {
  heardMs = Date.now();
  if (message.type === "snapshot") {
    setServerTime(message.at);
    board.applySnapshot(message);
    showServices(message.services_away);
    sequence.start(message.seq);
    unveil();
    redraw("calls", "campaigns");
    if (hasBeenAway) panel.refresh();
    hasBeenAway = false;
  } else if (message.type === "beat") {
    setServerTime(message.at);
    showServices(message.services_away);
    if (message.day !== board.today.day) socket.send({ type: "subscribe" });
    sequence.heard(message.seq);
  } else sequence.take(message);
}

// ── The line, and the veil when it is lost ─────────────────────────────────────────────────────────────────
const stale = document.getElementById("stale");
const staleAge = document.getElementById("stale-age");
let heardMs = Date.now();
let lostMs = null;
let hasBeenAway = false;

function unveil() {
  lostMs = null;
  place.removeAttribute("data-stale");
  stale.hidden = true;
  showConnection("live");
}

const socket = new LiveSocket(place.dataset.socket, {
  opened: () => {
    sequence.stop();
    socket.send({ type: "subscribe" });
  },
  message: receive,
  lost: () => {
    lostMs ??= Date.now();
    hasBeenAway = true;
    sequence.stop();
    showConnection(navigator.onLine ? "behind" : "offline");
  },
  refused: () => {
    place.setAttribute("data-stale", "");
    stale.hidden = true;
    document.getElementById("refused").hidden = false;
    showConnection("offline");
  },
});
document.getElementById("connection").dataset.socket = "yes";
document.getElementById("stale-retry").addEventListener("click", () => socket.retryNow());

setInterval(() => {
  const nowMs = serverNow();
  if (lostMs !== null && Date.now() - lostMs >= VEIL_AFTER_MS && !socket.isOver) {
    place.setAttribute("data-stale", "");
    stale.hidden = false;
    staleAge.textContent = minutesSeconds((Date.now() - heardMs) / 1000);
  }
  if (lostMs !== null) return; // clocks that run over old data would lie
  if (board.forget(nowMs).length) tiles.draw(nowMs);
  tiles.tick(nowMs);
  figures.draw(nowMs);
}, 1000);

// ── Hands ──────────────────────────────────────────────────────────────────────────────────────────────────
document.getElementById("tiles").addEventListener("click", (event) => {
  const link = event.target.closest("[data-call]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  panel.open(Number(link.dataset.call));
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, dialog[open]")) return;
  if (event.key === "j") tiles.step(1);
  if (event.key === "k") tiles.step(-1);
});
startAsking(place.dataset.wordUnreachable);

const first = JSON.parse(document.getElementById("snapshot").textContent);
setServerTime(first.at);
board.applySnapshot(first);
showServices(first.services_away);
redraw("calls", "campaigns");
startTour();
