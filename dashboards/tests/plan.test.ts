import { expect, test } from "vitest";
import { fillStep, layOut, wallOf, type PlanPlace } from "@/screens/floor/plan";

const place = (id: string, kind: string, parent_id: string | null, box?: [number, number, number, number]): PlanPlace => ({
  id, code: id, kind, parent_id, x_m: box?.[0] ?? null, y_m: box?.[1] ?? null, width_m: box?.[2] ?? null, depth_m: box?.[3] ?? null,
});

test("a measured place stands where it was measured", () => {
  const plan = layOut([place("hall", "building", null, [0, 0, 40, 20]), place("z", "zone", "hall", [2, 3, 10, 8])]);
  expect(plan.boxes.get("z")).toEqual({ x: 2, y: 3, w: 10, h: 8 });
  expect(plan.bounds).toEqual({ x: 0, y: 0, w: 40, h: 20 });
});

test("bins without measures share their zone without overlapping or leaving it", () => {
  const bins = Array.from({ length: 7 }, (_, n) => place(`b${n}`, "bin", "z"));
  const { boxes } = layOut([place("z", "zone", null, [5, 5, 12, 6]), ...bins]);
  const all = bins.map((bin) => boxes.get(bin.id)).filter((box) => box !== undefined);
  expect(all).toHaveLength(7);
  for (const box of all) {
    expect(box.x).toBeGreaterThanOrEqual(5);
    expect(box.x + box.w).toBeLessThanOrEqual(17);
    expect(box.y + box.h).toBeLessThanOrEqual(11);
  }
  for (const a of all) for (const b of all) {
    if (a === b) continue;
    const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
    expect(apart).toBe(true);
  }
});

test("a site without any drawing still has a plan", () => {
  const { boxes } = layOut([place("a", "zone", null), place("b", "zone", null), place("a1", "bin", "a")]);
  expect(boxes.size).toBe(3);
});

test("fullness is unknown, not zero, where there is no capacity", () => {
  expect(fillStep(5, null)).toBeNull();
  expect(fillStep(0, 10)).toBe(0);
  expect(fillStep(10, 10)).toBe(3);
  expect(fillStep(11, 10)).toBe(4);
});

test("a door belongs to the wall it is nearest to", () => {
  expect(wallOf({ x: 0, y: 8, w: 1, h: 3 }, [{ x: 0, y: 0, w: 40, h: 20 }])).toBe("left");
  expect(wallOf({ x: 10, y: 19, w: 3, h: 1 }, [{ x: 0, y: 0, w: 40, h: 20 }])).toBe("bottom");
  const yard = layOut([place("hall", "building", null, [0, 0, 40, 20]), place("van", "vehicle", null, [0, 22, 40, 4])]);
  expect(wallOf({ x: 2, y: 19, w: 3, h: 1 }, yard.buildings)).toBe("bottom"); // whatever stands outside of it
});
