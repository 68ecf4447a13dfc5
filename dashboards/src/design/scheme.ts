// Light or dark, decided before the first paint: what the person chose, else what the machine prefers. The attribute and
// the key are those of the component library, so that both agree.
export type Scheme = "light" | "dark";

const KEY = "mantine-color-scheme-value";

export function startScheme(): void {
  const stored = localStorage.getItem(KEY);
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const scheme: Scheme = stored === "dark" || stored === "light" ? stored : prefersDark ? "dark" : "light";
  document.documentElement.setAttribute("data-mantine-color-scheme", scheme);
}

export const shownScheme = (): Scheme => (document.documentElement.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light");

/** The person chose, where the component library is not there to do it. */
export function setScheme(scheme: Scheme): void {
  localStorage.setItem(KEY, scheme);
  document.documentElement.setAttribute("data-mantine-color-scheme", scheme);
}
