// Choices that the server draws the page by: kept for a year, read by nobody but us.

export function remember(name, value) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  const age = value === "" ? 0 : 365 * 24 * 3600;
  document.cookie = `${name}=${value}; path=/; max-age=${age}; samesite=lax${secure}`;
}

export function recall(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? found.slice(name.length + 1) : "";
}
