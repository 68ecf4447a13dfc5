// Words by language and namespace, loaded when a screen needs them. Add a language: a folder with the same files, and
// a line in LANGUAGES; tests/i18n.test.ts says which keys are missing.
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { loadSentences } from "./sentences";

export const LANGUAGES = { en: "English", zh: "中文" } as const;
export type Language = keyof typeof LANGUAGES;

const files = import.meta.glob<Record<string, unknown>>("./*/*.json", { import: "default" });
const KEY = "stowage.language";

export function preferredLanguage(): Language {
  const stored = localStorage.getItem(KEY);
  if (stored === "en" || stored === "zh") return stored;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export async function speak(language: Language): Promise<void> {
  localStorage.setItem(KEY, language);
  await sentences(language);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

/** Without the catalogue the backend's sentences stay English; nothing else depends on it. */
const sentences = (language: Language) => loadSentences(language).catch(() => undefined);

export async function startI18n(language: Language = preferredLanguage()): Promise<void> {
  const loading = sentences(language);
  await i18next
    .use(initReactI18next)
    .use({
      type: "backend" as const,
      init: () => undefined,
      read: (wanted: string, namespace: string, done: (error: unknown, words: unknown) => void) => {
        const load = files[`./${wanted}/${namespace}.json`];
        if (!load) return done(new Error(`no words for ${wanted}/${namespace}`), null);
        load().then((words) => done(null, words), (error: unknown) => done(error, null));
      },
    })
    .init({
      lng: language,
      fallbackLng: "en",
      supportedLngs: Object.keys(LANGUAGES),
      ns: ["common"],
      defaultNS: "common",
      interpolation: { escapeValue: false },
      react: { useSuspense: true },
    });
  await loading;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}
