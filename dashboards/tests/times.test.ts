import { expect, test } from "vitest";
import { ageOf, shortTime, wholeDaysUntil } from "@/components/times";

const now = Date.parse("2026-03-10T12:00:00Z");

test("an age is said in the unit a person would use", () => {
  expect(ageOf(now - 1_000, now).unit).toBe("now");
  expect(ageOf(now - 40_000, now)).toEqual({ unit: "seconds", n: 40, future: false });
  expect(ageOf(now - 2 * 3_600_000, now)).toEqual({ unit: "hours", n: 2, future: false });
  expect(ageOf(now + 3 * 86_400_000, now)).toEqual({ unit: "days", n: 3, future: true });
});

test("times are those of the site, not of the browser", () => {
  const at = new Date("2026-03-10T23:30:00Z");
  expect(shortTime(at, new Date(now), "en", "UTC")).toBe("23:30:00");
  expect(shortTime(at, new Date(now), "en", "Asia/Shanghai")).toContain("11 Mar");
});

test("a zone the browser does not know falls back to UTC instead of failing", () => {
  expect(shortTime(new Date(now), new Date(now), "en", "Mars/Olympus")).toBe("12:00:00");
});

test("an expiry today is zero days away", () => {
  expect(wholeDaysUntil("2026-03-10", now)).toBe(0);
  expect(wholeDaysUntil("2026-03-09", now)).toBe(-1);
});
