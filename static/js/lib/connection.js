// The word in the bar that says whether what you see is live. Pages with a socket call it; others show only "Offline".

const mark = document.getElementById("connection");

export function showConnection(state) {
  if (!mark) return;
  mark.hidden = false;
  if (mark.dataset.state === state) return;
  mark.dataset.state = state;
  mark.querySelector("span").textContent = mark.dataset[state];
  const use = mark.querySelector("use");
  const icon = { live: "plug-connected", behind: "refresh", offline: "wifi-off" }[state];
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${icon}`));
}

export function watchNetwork() {
  window.addEventListener("offline", () => showConnection("offline"));
  window.addEventListener("online", () => {
    if (mark && !mark.dataset.socket) mark.hidden = true;
  });
}
