import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "src");
const words = join(root, "i18n");
const languages = readdirSync(words, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);

type Tree = { [key: string]: string | Tree };

function flat(tree: Tree, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === "string") found.set(prefix + key, value);
    else for (const [inner, text] of flat(value, `${prefix}${key}.`)) found.set(inner, text);
  }
  return found;
}

function read(language: string): Map<string, string> {
  const all = new Map<string, string>();
  for (const file of readdirSync(join(words, language))) {
    const tree = JSON.parse(readFileSync(join(words, language, file), "utf8")) as Tree;
    for (const [key, text] of flat(tree)) all.set(`${file.replace(".json", "")}:${key}`, text);
  }
  return all;
}

const english = read("en");

test("there are at least English and Chinese", () => {
  expect(languages).toEqual(expect.arrayContaining(["en", "zh"]));
  expect(english.size).toBeGreaterThan(200);
});

test.each(languages)("%s has every word and no other", (language) => {
  expect([...read(language).keys()].sort()).toEqual([...english.keys()].sort());
});

test.each(languages)("%s has no empty word and the same blanks to fill", (language) => {
  const blanks = (text: string) => [...text.matchAll(/{{(\w+)}}/g)].map((match) => match[1]).sort();
  for (const [key, text] of read(language)) {
    expect(text.trim(), key).not.toBe("");
    expect(blanks(text), `${language} ${key}`).toEqual(blanks(english.get(key) ?? ""));
  }
});

test("every key that the code names is in the words", () => {
  const missing: string[] = [];
  for (const file of sources(root)) {
    const code = readFileSync(file, "utf8");
    const namespaces = [...code.matchAll(/useTranslation\(\[?"(\w+)"/g)].map((match) => match[1] ?? "");
    const candidates = ["common", ...namespaces];
    for (const [, key = ""] of code.matchAll(/\bt\(\s*"([\w:.-]+)"/g)) {
      const known = key.includes(":") ? has(key) : candidates.some((namespace) => has(`${namespace}:${key}`));
      if (!known) missing.push(`${file.slice(root.length + 1)}: ${key}`);
    }
  }
  expect(missing).toEqual([]);
});

function has(key: string): boolean {
  return english.has(key) || english.has(`${key}_other`);
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) && !entry.name.endsWith(".d.ts") ? [path] : [];
  });
}
