import { expect, test } from "vitest";
import { Catcher, type Heard } from "@/handheld/catcher";

function type(catcher: Catcher, keys: string[], at: number, gapMs: number): Heard[] {
  return keys.flatMap((key, n) => catcher.press({ key }, at + n * gapMs));
}
const scanned = (code: string) => ({ kind: "scan", code });

test("fast keys that Enter or Tab ends are one scan", () => {
  const catcher = new Catcher();
  expect(type(catcher, [..."06412345000012", "Enter"], 1000, 8)).toEqual([scanned("06412345000012")]);
  expect(type(catcher, [..."A-01-1", "Tab"], 2000, 100)).toEqual([scanned("A-01-1")]);
});

test("ten fast scans in a row are ten scans, in order", () => {
  const keys = Array.from({ length: 10 }, (_, n) => [...`BIN-${n}`, "Enter"]).flat();
  expect(type(new Catcher(), keys, 0, 2)).toEqual(Array.from({ length: 10 }, (_, n) => scanned(`BIN-${n}`)));
});

test("the same code twice is two scans", () => {
  expect(type(new Catcher(), [..."X1", "Enter", ..."X1", "Enter"], 0, 3)).toEqual([scanned("X1"), scanned("X1")]);
});

test("a pause over 100 ms between keys means that a person types, and Enter sends no scan", () => {
  expect(type(new Catcher(), ["1", "2", "Enter"], 0, 101)).toEqual([
    { kind: "typed", text: "1" }, { kind: "typed", text: "2" }, { kind: "enter" },
  ]);
});

test("an Enter that comes late ends no scan", () => {
  const catcher = new Catcher();
  type(catcher, [..."A-01-1"], 0, 5);
  expect(catcher.press({ key: "Enter" }, 500)).toEqual([{ kind: "typed", text: "A-01-1" }, { kind: "enter" }]);
});

test("a scan after a stray key is the scan alone", () => {
  const catcher = new Catcher();
  catcher.press({ key: "x" }, 0);
  expect(type(catcher, [..."A-01-1", "Enter"], 5000, 5)).toEqual([{ kind: "typed", text: "x" }, scanned("A-01-1")]);
});

test.each([
  ["F8", { key: "F8" }], ["Ctrl+]", { key: "]", ctrlKey: true }], ["the raw character", { key: "\x1d" }],
])("FNC1 sent as %s stays in the code", (_, separator) => {
  const catcher = new Catcher();
  const presses = [...[..."10AB"].map((key) => ({ key })), separator, { key: "2" }, { key: "1" }, { key: "Enter" }];
  expect(presses.flatMap((press, n) => catcher.press(press, n * 5))).toEqual([scanned("10AB\x1d21")]);
});

test("shifted letters keep the scan whole", () => {
  const catcher = new Catcher();
  expect(type(catcher, ["Shift", "A", "Shift", "B", "c", " ", "d", "Enter"], 0, 30)).toEqual([scanned("ABc d")]);
});

test("keys with Alt or Meta and bare Enter are not for us", () => {
  const catcher = new Catcher();
  expect(catcher.press({ key: "a", altKey: true }, 0)).toEqual([]);
  expect(catcher.press({ key: "Enter" }, 10)).toEqual([{ kind: "enter" }]);
});

test("what a person typed shows after a moment", () => {
  const catcher = new Catcher();
  catcher.press({ key: "7" }, 0);
  expect(catcher.idle(60)).toEqual([]);
  expect(catcher.idle(400)).toEqual([{ kind: "typed", text: "7" }]);
  expect(catcher.idle(900)).toEqual([]);
});
