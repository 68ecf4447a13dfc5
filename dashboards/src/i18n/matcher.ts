// Finds the template that made a sentence, and fills its translation. `{0}` in a template is a value that stays as it
// came (a code, a number, a name); where the translation says `<0>` the value is made of words of ours and is translated,
// too. A template that begins with a blank or a comma is a tail: it follows something else (", of which {0} are reserved").
// Meant is the template with the most letters of its own whose values are understood; else the first that fits.
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
const KEPT = 2000;
/** No sentence of ours is longer; a server's page of HTML is not searched. */
const LONGEST = 600;
/** A word that is no name. */
const ENGLISH = /(?<![A-Za-z])[a-z]{2}/;
const CONDITIONS = [" if {0}", " with {0}"];

export class Matcher {
  readonly #templates: Template[];
  readonly #sentences: Template[];
  readonly #strong: Template[];
  readonly #conditions: Template[];
  readonly #reasons: Template[];
  readonly #words: Map<string, string>;
  readonly #said = new Map<string, string>();

  constructor(catalogue: Catalogue) {
    this.#templates = templatesOf({ ...catalogue.sentences, ...catalogue.validation });
    this.#sentences = this.#templates.filter((one) => !one.isTail);
    this.#strong = this.#templates.filter((one) => one.letters >= FEW);
    this.#conditions = this.#templates.filter((one) => CONDITIONS.includes(one.key));
    this.#reasons = templatesOf(catalogue.reasons);
    this.#words = new Map(Object.entries(catalogue.words));
    for (const [key, to] of Object.entries(catalogue.sentences)) if (!/^[ ,;]|\{\d/.test(key)) this.#words.set(spelt(key), to);
  }

  sentence(text: string): string {
    return this.#once(`s ${text}`, () => this.#whole(text, true) ?? this.#joined(text, true) ?? this.#whole(text, false) ?? this.#joined(text, false) ?? text);
  }

  reason(text: string): string {
    const [, said = text, more = ""] = /^([^:]+)(: .+)?$/s.exec(text) ?? [];
    const found = this.#best(this.#reasons, said, false);
    return found === null ? text : found + more.replace(": ", "：");
  }

  /** Words of ours inside a sentence: one of the glossary, an amount, a list, a part of a sentence. */
  words(text: string): string {
    return this.#once(`w ${text}`, () => {
      const value = text.trim();
      return (
        this.#word(value) ??
        this.#amount(value) ??
        this.#list(value, "; ", "；") ??
        this.#best(this.#conditions, text, false) ??
        this.#best(this.#strong, text, true) ??
        this.#list(value, ", ", "、") ??
        this.#list(value, " and ", "和") ??
        this.#list(value, " or ", "或") ??
        this.#best(this.#templates, text, true) ??
        changed(value, this.sentence(value)) ??
        this.#kindAndCode(value) ??
        this.#best(this.#templates, text, false) ??
        value
      );
    });
  }

  #once(key: string, say: () => string): string {
    if (key.length > LONGEST) return key.slice(2);
    const known = this.#said.get(key);
    if (known !== undefined) return known;
    if (this.#said.size >= KEPT) this.#said.clear();
    const said = say();
    this.#said.set(key, said);
    return said;
  }

  /** The sentence as one; `inFull`: no word of it stays English. */
  #whole(text: string, inFull: boolean): string | null {
    const said = text.includes(" ") ? this.#word(text) : null;
    return said ?? this.#best(this.#sentences, text, inFull, true);
  }

  /** Several in a row, or what is said of somebody or something. */
  #joined(text: string, isAll: boolean): string | null {
    return this.#pieces(text, " ", /(?<=[.!?]) /, "", isAll) ?? this.#pieces(text, "; ", /; /, "；", isAll) ?? this.#named(text);
  }

  #best(templates: Template[], text: string, inFull: boolean, isAlone = false): string | null {
    const small = text.toLowerCase();
    for (const one of templates) {
      if (!small.includes(one.mark)) continue;
      one.pattern ??= patternOf(one);
      const match = one.pattern.exec(text);
      if (!match) continue;
      const said = this.#filled(one, match.slice(1), isAlone && one.isWeak);
      if (said !== null && !(inFull && ENGLISH.test(said))) return said;
    }
    return null;
  }

  #filled(one: Template, values: string[], isCareful: boolean): string | null {
    let isUnderstood = true;
    let translates = 0;
    const head = one.isTail ? this.words(values.shift() ?? "") : "";
    const said = one.to.replace(/\{(\d+)\}|<(\d+)>/g, (_, plain: string | undefined, ours: string | undefined) => {
      if (plain !== undefined) return values[Number(plain)] ?? "";
      const words = this.words(values[Number(ours)] ?? "");
      translates += 1;
      if (ENGLISH.test(words)) isUnderstood = false;
      return `\ue000${words}\ue000`;
    });
    return isCareful && values.length > 0 && (translates === 0 || !isUnderstood) ? null : spaced(`${head}\ue000${said}`);
  }

  #pieces(text: string, glue: string, cut: RegExp, join: string, isAll: boolean): string | null {
    const pieces = text.split(cut);
    if (pieces.length < 2) return null;
    const said: { text: string; isOurs: boolean }[] = [];
    for (let at = 0; at < pieces.length; ) {
      let end = pieces.length;
      let found: string | null = null;
      for (; end > at && found === null; end -= 1) {
        const part = pieces.slice(at, end).join(glue);
        found = end - at === pieces.length ? null : (this.#whole(part, true) ?? this.#named(part) ?? this.#whole(part, false));
      }
      at = found === null ? at + 1 : end + 1;
      said.push({ text: found ?? pieces[at - 1] ?? "", isOurs: found !== null });
    }
    if (!(isAll ? said.every((one) => one.isOurs) : said.some((one) => one.isOurs))) return null;
    return said.map((one, n) => (n === 0 ? one.text : (said[n - 1]?.isOurs ? join : glue) + one.text)).join("");
  }

  /** "quantity: Field required", "Van 1: is 90 s late.", "R-7 has other stops." */
  #named(text: string): string | null {
    const match = /^([^:;]{1,80}: |\S*\d\S* )(.+?)(\.?)$/s.exec(text);
    if (!match) return null;
    const [, name = "", rest = "", stop = ""] = match;
    const said = this.#whole(rest + stop, true) ?? this.#whole(rest, true) ?? (name.endsWith(": ") ? this.#whole(rest, false) : null);
    return said ? `${name.replace(/: $/, "：")}${said}${stop && !said.endsWith("。") ? "。" : ""}` : null;
  }

  #word(value: string): string | null {
    return this.#words.get(spelt(value)) ?? null;
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
    return said.every((part, n) => part !== parts[n]) ? spaced(said.join(`\ue000${join}\ue000`)) : null;
  }

  /** "pallet 340123450000000015" */
  #kindAndCode(value: string): string | null {
    const [, kind = "", code = ""] = /^([a-z]+(?: [a-z]+)?) (\S*\d\S*)$/.exec(value) ?? [];
    const said = kind && this.#word(kind);
    return said ? `${said} ${code}` : null;
  }
}

/** A blank parts Chinese from codes and figures, and not from Chinese. */
function spaced(said: string): string {
  return said
    .replace(/(?<=\p{Script=Han}|[（），。；：]) \ue000(?=\p{Script=Han}|[（），。；：])/gu, "")
    .replace(/(?<=\p{Script=Han}|[（），。；：])\ue000 (?=\p{Script=Han}|[（），。；：])/gu, "")
    .replace(/(?<=\p{Script=Han})\ue000(?=[A-Za-z0-9])|(?<=[A-Za-z0-9)])\ue000(?=\p{Script=Han})/gu, " ")
    .replaceAll("\ue000", "");
}

const spelt = (value: string): string => value.toLowerCase().replaceAll("_", " ");

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

const MEASURE = /^ (s|m|g|kg|km|min|h|minute)\b/;
const NO_FURTHER_SENTENCE = "(?:(?!(?<=\\w\\w|\\d|\\))[.!?] [A-Z]|; ).)";

function patternOf({ key, to, isTail }: Template): RegExp {
  const source = key
    .replace(/[.*+?^$()|[\]\\]/g, "\\$&")
    .replace(/^[a-z]/i, (first) => `[${first.toLowerCase()}${first.toUpperCase()}]`)
    .replace(/\{(\d+)\}/g, (blank, n: string, at: number, all: string) => valueOf(all.slice(0, at), all.slice(at + blank.length), to, n));
  return new RegExp(`^${isTail ? "(.*?)" : " ?"}${source} ?$`, "s");
}

/** What may stand in a blank, by what stands around it. */
function valueOf(before: string, after: string, to: string, n: string): string {
  const isPlain = to.includes(`{${n}}`);
  const isOurs = to.includes(`<${n}>`);
  if (!isPlain && !isOurs) return "([a-z]{0,2})"; // the ending of a plural
  if (MEASURE.test(after)) return "([-+]?[\\d.,]+)";
  if (isOurs && before === "" && !/[.,;:]/.test(after)) return "(\\d\\S*(?: \\S+){0,3}?)"; // "12 min" late
  const one = isPlain ? NO_FURTHER_SENTENCE : ".";
  if (before !== "" && !before.endsWith(" ")) return `(${one}*?)`; // may be missing
  return isPlain ? `((?!an? )${one}+?)` : `(${one}+?)`;
}
