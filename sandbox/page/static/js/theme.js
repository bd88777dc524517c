// Runs before the first paint, so that no page flashes in the wrong colours.
(() => {
  const saved = localStorage.getItem("gatehouse.theme");
  if (saved === "light" || saved === "dark") document.documentElement.dataset.theme = saved;
})();
