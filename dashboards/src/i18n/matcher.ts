// Finds the template that made a sentence, and fills its translation. `{0}` in a template is a value that stays as it
// came (a code, a number, a name); where the translation says `<0>` the value is made of words of ours and is translated,
// too. A template that begins with a blank or a comma is a tail: it follows something else (", of which {0} are reserved").
// The template with the most literal letters that fits is meant.
export interface Catalogue {
  sentences: Record<string, string>;
  /** Validation sentences of the framework. */
  validation: Record<string, string>;
  /** Why stock moved, where the system says why. */
  reasons: Record<string, string>;
  /** States, kinds, units and roles as they stand inside a sentence; `_` and blank are the same. */
  words: Record<string, string>;
}

interface Template {
  to: string;
  letters: number;
  /** Its longest literal, in small letters: a text without it needs no closer look. */
  mark: string;
  isTail: boolean;
  /** It fits by chance, too: only where every word in it is known. */
  isWeak: boolean;
  pattern: RegExp | null;
  key: string;
}

const FEW = 8;
const STRONG = 12;
const KEPT = 2000;
/** A word that is no name. */
const ENGLISH = /(?<![A-Za-z])[a-z]{2}/;
const CONDITIONS = [" if {0}", " with {0}"];

export class Matcher {
  readonly #templates: Template[];
  readonly #conditions: Template[];
  readonly #reasons: Template[];
  readonly #words: Map<string, string>;
  readonly #said = new Map<string, string>();

  constructor(catalogue: Catalogue) {
    this.#templates = templatesOf({ ...catalogue.sentences, ...catalogue.validation });
    this.#conditions = this.#templates.filter((one) => CONDITIONS.includes(one.key));
    this.#reasons = templatesOf(catalogue.reasons);
    this.#words = new Map(Object.entries(catalogue.words));
  }

  sentence(text: string): string {
    const known = this.#said.get(text);
    if (known !== undefined) return known;
    if (this.#said.size >= KEPT) this.#said.clear();
    const found = this.#whole(text) ?? this.#pieces(text, " ", /(?<=[.!?]) /, "") ?? this.#pieces(text, "; ", /; /, "；") ?? this.#named(text) ?? text;
    this.#said.set(text, found);
    return found;
  }

  reason(text: string): string {
    const [, said = text, more = ""] = /^([^:]+)(: .+)?$/s.exec(text) ?? [];
    const found = this.#best(this.#reasons, said);
    return found === null ? text : found + more.replace(": ", "：");
  }

  /** Words of ours inside a sentence: one of the glossary, an amount, a list, a part of a sentence. */
  words(text: string): string {
    const value = text.trim();
    if (value === "") return "";
    return (
      this.#word(value) ??
      this.#amount(value) ??
      this.#best(this.#conditions, value) ??
      this.#best(this.#templates, value, (one) => one.letters >= STRONG) ??
      this.#list(value, "; ", "；") ??
      this.#best(this.#templates, value) ??
      changed(value, this.sentence(value)) ??
      this.#list(value, ", ", "、") ??
      this.#list(value, " and ", "和") ??
      this.#list(value, " or ", "或") ??
      this.#kindAndCode(value) ??
      text
    );
  }

  #whole(text: string): string | null {
    const said = this.#word(text);
    if (said !== null && text.includes(" ")) return said;
    return this.#best(this.#templates, text, (one) => !one.isTail, true);
  }

  #best(templates: Template[], text: string, may: (one: Template) => boolean = () => true, isCareful = false): string | null {
    const small = text.toLowerCase();
    for (const one of templates) {
      if (!may(one) || !small.includes(one.mark)) continue;
      one.pattern ??= patternOf(one);
      const match = one.pattern.exec(text);
      if (!match) continue;
      const said = this.#filled(one, match.slice(1), isCareful && one.isWeak);
      if (said !== null) return said;
    }
    return null;
  }

  #filled(one: Template, values: string[], isCareful: boolean): string | null {
    let isUnderstood = true;
    let translates = 0;
    const head = one.isTail ? this.words(values.shift() ?? "") : "";
    const said = one.to.replace(/\{(\d+)\}|<(\d+)>/g, (_, plain: string | undefined, ours: string | undefined) => {
      if (plain !== undefined) return values[Number(plain)] ?? "";
      const value = values[Number(ours)] ?? "";
      const words = this.words(value);
      translates += 1;
      if (ENGLISH.test(words)) isUnderstood = false;
      return `\ue000${words}\ue000`;
    });
    return isCareful && values.length > 0 && (translates === 0 || !isUnderstood) ? null : head + joined(said);
  }

  #pieces(text: string, glue: string, cut: RegExp, join: string): string | null {
    const pieces = text.split(cut);
    if (pieces.length < 2) return null;
    const said: { text: string; isOurs: boolean }[] = [];
    for (let at = 0; at < pieces.length; ) {
      let end = pieces.length;
      let found: string | null = null;
      for (; end > at && found === null; end -= 1) {
        const part = pieces.slice(at, end).join(glue);
        found = end - at === pieces.length ? null : (this.#whole(part) ?? this.#named(part));
      }
      at = found === null ? at + 1 : end + 1;
      said.push({ text: found ?? pieces[at - 1] ?? "", isOurs: found !== null });
    }
    if (!said.some((one) => one.isOurs)) return null;
    return said.map((one, n) => (n === 0 ? one.text : (said[n - 1]?.isOurs ? join : glue) + one.text)).join("");
  }

  /** "quantity: Field required", "Van 1: is 90 s late.", "R-7 has other stops." */
  #named(text: string): string | null {
    const match = /^([^:;]{1,80}: |\S*\d\S* )(.+?)(\.?)$/s.exec(text);
    if (!match) return null;
    const [, name = "", rest = "", stop = ""] = match;
    const said = this.#whole(rest + stop) ?? (stop ? this.#whole(rest) : null);
    return said ? `${name.replace(/: $/, "：")}${said}${stop && !said.endsWith("。") ? "。" : ""}` : null;
  }

  #word(value: string): string | null {
    return this.#words.get(value.toLowerCase().replaceAll("_", " ")) ?? null;
  }

  #amount(value: string): string | null {
    const [, number = "", unit = ""] = /^([+-]?\d[\d.,]*) ([a-z%°]+)$/i.exec(value) ?? [];
    const said = unit && this.#word(unit);
    return said ? `${number} ${said}` : null;
  }

  #list(value: string, glue: string, join: string): string | null {
    if (!value.includes(glue)) return null;
    const parts = value.split(glue);
    const said = parts.map((part) => this.words(part));
    const isOurs = (part: string, n: number) => part !== parts[n];
    return (glue === "; " ? said.some(isOurs) : said.every(isOurs)) ? said.join(join) : null;
  }

  /** "pallet 340123450000000015" */
  #kindAndCode(value: string): string | null {
    const [, kind = "", code = ""] = /^([a-z]+(?: [a-z]+)?) (\S*\d\S*)$/.exec(value) ?? [];
    const said = kind && this.#word(kind);
    return said ? `${said} ${code}` : null;
  }
}

/** A blank parts Chinese from codes and figures, not from Chinese. */
const joined = (said: string): string => said.replace(/(?<=\p{Script=Han}) \ue000(?=\p{Script=Han})|(?<=\p{Script=Han})\ue000 (?=\p{Script=Han})/gu, "").replaceAll("\ue000", "");

const changed = (before: string, after: string): string | null => (after === before ? null : after);

function templatesOf(entries: Record<string, string>): Template[] {
  const all: Template[] = [];
  for (const [key, to] of Object.entries(entries)) {
    const literals = key.split(/\{\d+\}/);
    const letters = literals.join("").replace(/[^A-Za-z]/g, "").length;
    const mark = literals.reduce((longest, one) => (one.trim().length > longest.length ? one.trim() : longest), "").toLowerCase();
    const isTail = /^[ ,;]/.test(key);
    const isWeak = letters < FEW && (to.includes("<") || !/^ ?[A-Z].*\.$/.test(key));
    const template = { key, to, letters, mark, isTail, isWeak, pattern: null };
    all.push(template);
    // A tail that is a whole sentence may also stand alone, or after another one.
    if (key.startsWith(" ") && key.endsWith(".")) all.push({ ...template, key: key.trim(), isTail: false });
  }
  return all.sort((a, b) => b.letters - a.letters);
}

/**
 * A value has at least one character, but where it follows another value or a sign it may be missing. One that stays as it
 * came holds no further sentence, and before a measure it is a number.
 */
function patternOf({ key, to, isTail }: Template): RegExp {
  const source = key
    .replace(/[.*+?^$()|[\]\\]/g, "\\$&")
    .replace(/^[a-z]/i, (first) => `[${first.toLowerCase()}${first.toUpperCase()}]`)
    .replace(/\{(\d+)\}/g, (_, n: string, at: number, all: string) => {
      if (MEASURE.test(all.slice(at + n.length + 2))) return "([-+]?[\\d.,]+)";
      const one = to.includes(`<${n}>`) ? "." : "(?:(?!(?<=\\w\\w|\\d)[.!?] [A-Z]).)";
      return at === 0 || all[at - 1] === " " ? `(${one}+?)` : `(${one}*?)`;
    });
  return new RegExp(`^${isTail ? "(.+?)" : ""}${source}$`, "s");
}

const MEASURE = /^ (s|m|g|kg|km|min|h|minute)\b/;
