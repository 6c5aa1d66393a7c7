// What the live page knows, and what each piece of news changes. No page, no clock: times are arguments.
// Old state + deltas = fresh snapshot; every figure is counted from the same calls, so that none can drift.

const LINGER_MS = 6000; // an ended call stays this long, with its outcome
const QUIET_MS = 25_000; // nobody has said anything for this long: look at it
const N_LINES = 2;
const DIALLING = new Set(["requested", "queued", "ringing"]);
const NEVER_TRIED = new Set(["not_placed", "canceled"]);

export class Board {
  constructor() {
    this.seq = 0;
    this.calls = new Map(); // id → { card, turns, lastSaidMs, endedMs, isCounted: in today's figures of the snapshot }
    this.campaigns = new Map();
    this.today = { day: "", since: "", n_tried: 0, n_answered: 0, n_voicemail: 0, n_success: 0 };
    this.settled = new Map(); // id → what an ended call adds to today's figures
    this.successCodes = new Set();
    this.takenMs = 0;
  }

  // Replaces everything but the ended calls that still linger.
  applySnapshot(snapshot) {
    const lingering = [...this.calls.values()].filter((call) => call.endedMs !== null);
    this.seq = snapshot.seq;
    this.takenMs = Date.parse(snapshot.at);
    this.today = snapshot.today;
    this.successCodes = new Set(snapshot.success_codes);
    this.settled = new Map();
    this.campaigns = new Map(snapshot.campaigns.map((card) => [card.id, card]));
    this.calls = new Map();
    for (const { turns, last_said_at, ...card } of snapshot.calls) {
      const lastSaidMs = last_said_at ? Date.parse(last_said_at) : null;
      this.calls.set(card.id, { card, turns, lastSaidMs, endedMs: null, isCounted: false });
    }
    for (const call of lingering) {
      if (!this.calls.has(call.card.id)) this.calls.set(call.card.id, { ...call, isCounted: true });
    }
  }

  // False: the news is about a call from before the snapshot, which only a new snapshot can count right.
  applyCall(card, nowMs) {
    const known = this.calls.get(card.id);
    if (!known && card.ended_at && !this.settled.has(card.id) && Date.parse(card.ended_at) < this.takenMs) return false;
    const call = known ?? { card, turns: [], lastSaidMs: null, endedMs: null, isCounted: false };
    call.card = card;
    if (call.isCounted) return false;
    if (card.ended_at) {
      call.endedMs ??= nowMs;
      this.settled.set(card.id, this.#worth(card));
    }
    if (known || !card.ended_at || nowMs - Date.parse(card.ended_at) < LINGER_MS) this.calls.set(card.id, call);
    return true;
  }

  applyTurn(turn, nowMs) {
    const call = this.calls.get(turn.call_id);
    if (!call || turn.text.trim() === "") return; // begun and cut before a word was heard
    call.lastSaidMs = nowMs;
    const at = call.turns.findIndex((other) => other.item_id === turn.item_id);
    if (at >= 0) call.turns[at] = turn;
    else {
      call.turns.push(turn);
      call.turns.sort((a, b) => a.started_ms - b.started_ms);
      if (call.turns.length > N_LINES) call.turns.splice(0, call.turns.length - N_LINES);
    }
  }

  applyCampaign(card) {
    this.campaigns.set(card.id, card);
  }

  // Drops calls that have lingered long enough; their share of today's figures stays. The ids that went.
  forget(nowMs) {
    const gone = [];
    for (const [id, call] of this.calls) {
      if (call.endedMs !== null && nowMs - call.endedMs >= LINGER_MS) {
        this.calls.delete(id);
        gone.push(id);
      }
    }
    return gone;
  }

  figures(nowMs) {
    const figures = { now: 0, talking: 0, ringing: 0, waiting: 0, longestS: 0, won: 0 };
    for (const { card } of this.calls.values()) {
      if (card.state === "ended") continue;
      figures.won += Number(this.successCodes.has(card.disposition));
      if (card.state === "created") figures.waiting += 1;
      else figures.now += 1;
      if (card.state === "ringing") figures.ringing += 1;
      if (card.state === "answered") {
        figures.talking += 1;
        figures.longestS = Math.max(figures.longestS, (nowMs - Date.parse(card.answered_at ?? card.created_at)) / 1000);
      }
    }
    const { n_tried, n_answered, n_voicemail, n_success } = this.today;
    const today = { n_tried, n_answered, n_voicemail, n_success };
    for (const worth of this.settled.values()) for (const key of Object.keys(today)) today[key] += worth[key];
    today.n_success += figures.won; // agreed already, though the call goes on
    return { ...figures, ...today, answeredShare: today.n_tried ? today.n_answered / today.n_tried : null };
  }

  #worth(card) {
    const isToday = Date.parse(card.created_at) >= Date.parse(this.today.since);
    const answered = card.outcome === "answered" || card.outcome === "voicemail";
    return {
      n_tried: Number(isToday && !NEVER_TRIED.has(card.outcome)),
      n_answered: Number(isToday && answered),
      n_voicemail: Number(isToday && card.outcome === "voicemail"),
      n_success: Number(isToday && this.successCodes.has(card.disposition)),
    };
  }
}

// For how long nobody has spoken, in seconds; 0 while that is no worry.
export function quietS(call, nowMs) {
  if (call.card.state !== "answered") return 0;
  const sinceMs = Math.max(call.lastSaidMs ?? 0, Date.parse(call.card.answered_at ?? call.card.created_at));
  return nowMs - sinceMs >= QUIET_MS ? (nowMs - sinceMs) / 1000 : 0;
}

// Trouble first, then talk, then what is being dialled, then what waits; an ended call keeps its place.
export function rank(call, nowMs) {
  const { state } = call.card;
  if (state === "ended") return call.rank ?? 1;
  if (state === "unknown" || quietS(call, nowMs) > 0) return 0;
  if (state === "answered") return 1;
  return DIALLING.has(state) ? 2 : 3;
}

// The tiles in the order they are read: by rank, the newest of each rank first.
export function inOrder(calls, nowMs) {
  const all = [...calls.values()];
  for (const call of all) call.rank = rank(call, nowMs);
  return all.sort((a, b) => a.rank - b.rank || b.card.created_at.localeCompare(a.card.created_at) || b.card.id - a.card.id);
}
