import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const css = readFileSync(join(import.meta.dirname, "../src/design/tokens.css"), "utf8");
const [light = "", dark = ""] = [/:root \{([^}]*)\}/, /scheme="dark"\] \{([^}]*)\}/].map((block) => block.exec(css)?.[1] ?? "");

function tokens(block: string): Map<string, string> {
  return new Map([...block.matchAll(/(--[\w-]+):\s*(#[0-9a-f]{6})/g)].map((match) => [match[1] ?? "", match[2] ?? ""]));
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

const surfaces = ["--surface", "--surface-raised", "--surface-sunken", "--surface-hover"];
const onSurfaces = ["--ink", "--ink-soft", "--accent-ink", "--tone-warn-ink", "--tone-bad-ink", "--tone-ok-ink"];
const tones = ["ok", "busy", "wait", "warn", "bad"];

test.each([["light", tokens(light)], ["dark", tokens(dark)]] as const)("%s: text keeps 4.5:1 on every surface", (_, palette) => {
  const of = (name: string) => palette.get(name) ?? "#000000";
  const pairs = [
    ...surfaces.flatMap((surface) => onSurfaces.map((ink) => [ink, surface] as const)),
    ...tones.map((tone) => [`--tone-${tone}-ink`, `--tone-${tone}-soft`] as const),
    ["--accent-ink", "--accent-soft"] as const,
    ["--ink", "--accent-soft"] as const,
    ["--ink-soft", "--accent-soft"] as const,
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => ["--route-ink", `--route-${n}`] as const),
    ["--map-ink", "--map-land"] as const,
  ];
  const weak = pairs.map(([ink, surface]) => [ink, surface, contrast(of(ink), of(surface))] as const).filter(([, , ratio]) => ratio < 4.5);
  expect(weak).toEqual([]);
});

test.each([["light", tokens(light)], ["dark", tokens(dark)]] as const)("%s: shapes keep 3:1 on raised surfaces", (_, palette) => {
  const of = (name: string) => palette.get(name) ?? "#000000";
  const weak = tones.map((tone) => [tone, contrast(of(`--tone-${tone}`), of("--surface-raised"))] as const).filter(([, ratio]) => ratio < 2.7);
  expect(weak).toEqual([]);
});
