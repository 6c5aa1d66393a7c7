// Durations as people read them, and one clock for all of a page's timers.

export function minutesSeconds(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

// The server's clock minus ours, in ms; pages with a socket set it, so that a wrong PC clock does not show.
let skewMs = 0;

export function setServerTime(iso) {
  skewMs = Date.parse(iso) - Date.now();
}

export function serverNow() {
  return Date.now() + skewMs;
}

export function tick(root = document) {
  const now = serverNow();
  for (const timer of root.querySelectorAll("time[data-since]")) {
    const text = minutesSeconds((now - Date.parse(timer.dataset.since)) / 1000);
    if (timer.textContent !== text) timer.textContent = text;
  }
}

export function startClock() {
  setInterval(tick, 1000);
}
