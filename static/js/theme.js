// Runs before the first paint: the colours that were chosen, else the system's, and that scripts run at all. A classic
// script, as modules wait.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    root.dataset.bsTheme = root.dataset.themeChoice || (system.matches ? "dark" : "light");
  };
  root.dataset.js = "yes";
  system.addEventListener("change", apply);
  apply();
})();
