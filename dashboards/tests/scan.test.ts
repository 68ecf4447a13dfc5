import { expect, test } from "vitest";
import { Wedge } from "@/scan/wedge";

function type(wedge: Wedge, text: string, startAt: number, gapMs: number) {
  let at = startAt;
  const fed = [...text, "Enter"].map((key) => {
    const result = wedge.feed(key, at);
    at += gapMs;
    return result;
  });
  return fed.at(-1);
}

test("fast keys with Enter are one scan", () => {
  expect(type(new Wedge(), "(00)340123450000000018", 1000, 8)).toEqual({ kind: "scan", text: "(00)340123450000000018" });
});

test("a person typing is not a scanner", () => {
  expect(type(new Wedge(), "hello", 1000, 180)).toEqual({ kind: "nothing" });
});

test("ten fast scans are ten scans", () => {
  const wedge = new Wedge();
  const scans = Array.from({ length: 10 }, (_, n) => type(wedge, `BIN-${n}`, 1000 + n * 150, 5));
  expect(scans).toEqual(Array.from({ length: 10 }, (_, n) => ({ kind: "scan", text: `BIN-${n}` })));
});

test("a group separator inside a code survives", () => {
  const wedge = new Wedge();
  let at = 0;
  const keys = ["1", "0", "A", "F8", "2", "1", "X", "Enter"];
  const last = keys.map((key) => wedge.feed(key, (at += 5))).at(-1);
  expect(last).toEqual({ kind: "scan", text: "10A\x1d21X" });
});
