// Dark and high in contrast unless the worker wants it light; this device remembers.
import { useState } from "react";

export type Theme = "dark" | "light";
const KEY = "stowage.handheld.theme";

export const storedTheme = (): Theme => (localStorage.getItem(KEY) === "light" ? "light" : "dark");

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(storedTheme);
  return [
    theme,
    (next) => {
      localStorage.setItem(KEY, next);
      document.documentElement.dataset["handheld"] = next;
      setTheme(next);
    },
  ];
}
