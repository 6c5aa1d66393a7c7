// Runs before the first paint: the colours that were chosen, else the system's. A classic script, as modules wait.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    root.dataset.bsTheme = root.dataset.themeChoice || (system.matches ? "dark" : "light");
  };
  system.addEventListener("change", apply);
  apply();
})();
