import { expect, test } from "vitest";
import { hexDump } from "@/screens/devices/hex";

test("bytes are shown with their offset and what can be printed", () => {
  expect(hexDump("7b2276223a00ff")).toBe('0000  7b 22 76 22 3a 00 ff                             {"v":..');
  expect(hexDump("41".repeat(17)).split("\n")[1]).toMatch(/^0010 {2}41 /);
});

test("no bytes are no lines, and many are cut with a sign", () => {
  expect(hexDump("")).toBe("");
  expect(hexDump("00".repeat(40), 2)).toMatch(/…$/);
});
