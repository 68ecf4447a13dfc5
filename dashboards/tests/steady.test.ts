import { expect, test } from "vitest";
import { steady } from "@/components/steady";

const row = (id: string, n = 0) => ({ id, n });
const key = (r: { id: string }) => r.id;
const ids = (result: ReturnType<typeof steady<{ id: string; n: number }>>) => result.rows.map((entry) => entry.key).join("");

test("rows keep their place and new ones wait while someone reads", () => {
  const shown = steady([], [row("a"), row("b")], key, false).rows;
  const next = steady(shown, [row("n"), row("b", 7), row("a")], key, true);
  expect(ids(next)).toBe("ab");
  expect(next.rows[1]?.row.n).toBe(7);
  expect(next.waiting).toBe(1);
});

test("when nobody reads, the list is as it came", () => {
  const shown = steady([], [row("a"), row("b")], key, false).rows;
  expect(ids(steady(shown, [row("n"), row("b")], key, false))).toBe("nb");
});

test("a row that vanished stays, marked, until the reader looks away", () => {
  const shown = steady([], [row("a"), row("b")], key, false).rows;
  const next = steady(shown, [row("b")], key, true);
  expect(ids(next)).toBe("ab");
  expect(next.rows[0]?.gone).toBe(true);
});

test("a further page joins at the end without waiting", () => {
  const shown = steady([], [row("a"), row("b")], key, false).rows;
  const next = steady(shown, [row("a"), row("b"), row("c")], key, true);
  expect(ids(next)).toBe("abc");
  expect(next.waiting).toBe(0);
});

test("another list altogether replaces the old one at once", () => {
  const shown = steady([], [row("a")], key, false).rows;
  expect(ids(steady(shown, [row("x"), row("y")], key, true))).toBe("xy");
});
