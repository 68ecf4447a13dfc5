// What the backend wrote in English, as the person reads it. The backend has one language; a Chinese screen looks its
// sentences up in a catalogue (sentences.zh.json), which is loaded only where the language is Chinese. A text that the
// catalogue does not know stays as it came, and what a person or the ERP wrote is never given to these functions.
// A new sentence: a line in the catalogue; tests/dashboards/test_sentences.py names the ones that are missing.
import type { Matcher } from "./matcher";

let matcher: Matcher | null = null;

export async function loadSentences(language: string): Promise<void> {
  if (language !== "zh") {
    matcher = null;
    return;
  }
  const [{ Matcher }, catalogue] = await Promise.all([import("./matcher"), import("./sentences.zh.json")]);
  matcher = new Matcher(catalogue.default);
}

type Text = string | null | undefined;

/** A sentence of the backend: a problem, an alert, why something is not planned ... */
export function sentence<T extends Text>(text: T): T {
  return text && matcher ? (matcher.sentence(text) as T) : text;
}

/** Why stock moved: ours where the system wrote it, else as the person wrote it. */
export function reason<T extends Text>(text: T): T {
  return text && matcher ? (matcher.reason(text) as T) : text;
}

/** Words that belong to a sentence: what was expected, what was seen. */
export function words<T extends Text>(text: T): T {
  return text && matcher ? (matcher.words(text) as T) : text;
}
