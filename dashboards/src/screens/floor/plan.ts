// Where everything stands on the floor plan, in metres. Places with measures stand where they are; the others are laid
// out in rows inside their parent (or beside the building), so that a site without a drawing still has a plan.
export interface PlanPlace {
  id: string;
  parent_id: string | null;
  code: string;
  kind: string;
  x_m: number | null;
  y_m: number | null;
  width_m: number | null;
  depth_m: number | null;
}

export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Plan {
  boxes: Map<string, Box>;
  bounds: Box;
  /** What has walls; everything where no building is drawn. */
  buildings: Box[];
}

const GAP = 0.4;

export function measured(place: PlanPlace): Box | null {
  const { x_m, y_m, width_m, depth_m } = place;
  return x_m !== null && y_m !== null && width_m !== null && depth_m !== null ? { x: x_m, y: y_m, w: width_m, h: depth_m } : null;
}

/** Near-square cells for `n` things in a box. */
export function cells(n: number, box: Box, gap = GAP): Box[] {
  if (n === 0) return [];
  const columns = Math.max(1, Math.min(n, Math.round(Math.sqrt((n * box.w) / Math.max(box.h, 0.1)))));
  const rows = Math.ceil(n / columns);
  const w = Math.max(0.1, (box.w - gap * (columns + 1)) / columns);
  const h = Math.max(0.1, (box.h - gap * (rows + 1)) / rows);
  return Array.from({ length: n }, (_, index) => ({
    x: box.x + gap + (index % columns) * (w + gap),
    y: box.y + gap + Math.floor(index / columns) * (h + gap),
    w,
    h,
  }));
}

export function layOut(places: readonly PlanPlace[]): Plan {
  const boxes = new Map<string, Box>();
  const children = new Map<string | null, PlanPlace[]>();
  const known = new Set(places.map((place) => place.id));
  for (const place of places) {
    const parent = place.parent_id !== null && known.has(place.parent_id) ? place.parent_id : null;
    children.set(parent, [...(children.get(parent) ?? []), place]);
    const box = measured(place);
    if (box) boxes.set(place.id, box);
  }

  const inside = (parent: PlanPlace): void => {
    const mine = children.get(parent.id) ?? [];
    const box = boxes.get(parent.id);
    const unplaced = mine.filter((place) => !boxes.has(place.id));
    if (box && unplaced.length > 0) {
      // A zone's name stands above its bins.
      const head = Math.min(1.4, box.h * 0.2);
      const room = { x: box.x, y: box.y + head, w: box.w, h: box.h - head };
      cells(unplaced.length, room).forEach((cell, index) => {
        const place = unplaced[index];
        if (place) boxes.set(place.id, cell);
      });
    }
    mine.forEach(inside);
  };

  const roots = children.get(null) ?? [];
  const loose = roots.filter((place) => !boxes.has(place.id));
  if (loose.length > 0) {
    const drawn = around([...boxes.values()]);
    const room = drawn
      ? { x: drawn.x, y: drawn.y + drawn.h + 2, w: Math.max(drawn.w, 12), h: Math.max(6, Math.ceil(loose.length / 4) * 6) }
      : { x: 0, y: 0, w: 48, h: 28 };
    cells(loose.length, room, 1).forEach((cell, index) => {
      const place = loose[index];
      if (place) boxes.set(place.id, cell);
    });
  }
  roots.forEach(inside);
  const bounds = around([...boxes.values()]) ?? { x: 0, y: 0, w: 48, h: 28 };
  const buildings = places.flatMap((place) => (place.kind === "building" ? (boxes.get(place.id) ?? []) : []));
  return { boxes, bounds, buildings: buildings.length > 0 ? buildings : [bounds] };
}

export function around(boxes: readonly Box[]): Box | null {
  if (boxes.length === 0) return null;
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  return {
    x,
    y,
    w: Math.max(...boxes.map((box) => box.x + box.w)) - x,
    h: Math.max(...boxes.map((box) => box.y + box.h)) - y,
  };
}

/** Five steps of fullness; null where the place has no capacity to compare with. */
export function fillStep(onHand: number, capacity: number | null): 0 | 1 | 2 | 3 | 4 | null {
  if (onHand <= 0) return 0;
  if (capacity === null || capacity <= 0) return null;
  const share = onHand / capacity;
  return share < 0.34 ? 1 : share < 0.67 ? 2 : share <= 1 ? 3 : 4;
}

export type Side = "left" | "right" | "top" | "bottom";

/** The wall a door stands in: the nearest side of a building. */
export function wallOf(door: Box, buildings: readonly Box[]): Side {
  const distances = buildings.flatMap((building): [Side, number][] => [
    ["left", Math.abs(door.x - building.x)],
    ["right", Math.abs(building.x + building.w - (door.x + door.w))],
    ["top", Math.abs(door.y - building.y)],
    ["bottom", Math.abs(building.y + building.h - (door.y + door.h))],
  ]);
  return distances.reduce((nearest, one) => (one[1] < nearest[1] ? one : nearest), ["bottom", Infinity])[0];
}
