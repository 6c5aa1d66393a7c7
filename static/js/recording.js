// The call page's recording: a wave to listen by, and a transcript that follows. Without this it is the browser's player.
import { Player } from "./recording/player.js";
import { Transcript } from "./recording/transcript.js";

function start(root) {
  const player = new Player(root);
  const list = document.querySelector("[data-follows]");
  if (!list) return;
  const transcript = new Transcript(list, { onJump: (seconds) => player.jump(seconds, { plays: true }) });
  player.onMove = (seconds, isPlaying) => transcript.follow(seconds, isPlaying);
  transcript.follow(player.now, false);
}

function startAll() {
  for (const root of document.querySelectorAll("[data-player]:not([data-started])")) {
    root.dataset.started = "yes";
    start(root);
  }
}

startAll();
// The page asks for the part again while a recording is being put away.
new MutationObserver(startAll).observe(document.getElementById("main"), { childList: true, subtree: true });
