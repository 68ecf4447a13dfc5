// How a route is told from the others: a colour and a shape, both, so that neither is needed alone. The map draws the
// shapes as images made on demand (`markImage`), lists and timeline as SVG (`Mark`): the same outlines for all.
export const SHAPES = ["circle", "square", "diamond", "hexagon", "pentagon"] as const;
export type MarkShape = (typeof SHAPES)[number];
export const COLOURS = 8;

export interface Look {
  /** The name of a token: `--route-3`. */
  colour: string;
  shape: MarkShape;
}

/** Forty looks before one repeats: five shapes against eight colours. */
export function lookOf(index: number): Look {
  return { colour: `--route-${(index % COLOURS) + 1}`, shape: SHAPES[index % SHAPES.length] ?? "circle" };
}

/** Each vehicle's look, by its code: it stays the same from day to day as long as the fleet does. */
export function looksOf(codes: Iterable<string>): Map<string, Look> {
  const sorted = [...new Set(codes)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return new Map(sorted.map((code, index) => [code, lookOf(index)]));
}

const SIDES: Record<Exclude<MarkShape, "circle" | "square">, { corners: number; turn: number; reach: number }> = {
  diamond: { corners: 4, turn: 0, reach: 1.14 },
  hexagon: { corners: 6, turn: 30, reach: 1.06 },
  pentagon: { corners: 5, turn: 0, reach: 1.1 },
};

/** Corners around the middle of a box of size 2 (from -1 to 1); none for the circle. */
export function cornersOf(shape: MarkShape): [number, number][] {
  if (shape === "circle") return [];
  if (shape === "square") return [[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]];
  const { corners, turn, reach } = SIDES[shape];
  return Array.from({ length: corners }, (_, n) => {
    const angle = ((turn - 90 + (n * 360) / corners) * Math.PI) / 180;
    return [Math.cos(angle) * reach, Math.sin(angle) * reach];
  });
}

/** A token's colour on the page as it is now (light or dark). */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888888";
}

/** What an image of the map shows, written as its name; the style asks for it by that name. */
export interface MarkName {
  kind: "stop" | "depot" | "vehicle";
  shape: MarkShape;
  colour: string;
  state: "plain" | "done" | "late" | "failed" | "stale";
}

export const nameOf = (mark: MarkName): string => `${mark.kind}|${mark.shape}|${mark.colour}|${mark.state}`;

export function markOf(name: string): MarkName | null {
  const [kind, shape, colour, state] = name.split("|");
  if (!kind || !shape || !colour || !state) return null;
  return { kind, shape, colour, state } as MarkName;
}

export interface Pixels {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/** The image of a mark, at `ratio` pixels a point. Null where there is no canvas. */
export function markImage(mark: MarkName, ratio = 2): Pixels | null {
  const size = mark.kind === "vehicle" ? 34 : mark.kind === "depot" ? 28 : 26;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size * ratio;
  const pen = canvas.getContext("2d");
  if (!pen) return null;
  pen.scale(ratio, ratio);
  pen.translate(size / 2, size / 2);
  const colour = token(mark.colour), ground = token("--surface-raised");
  if (mark.kind === "vehicle") drawVehicle(pen, colour, ground, mark.state === "stale");
  else if (mark.kind === "depot") drawDepot(pen, colour, ground);
  else drawStop(pen, mark, colour, ground);
  const { width, height, data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  return { width, height, data };
}

function outline(pen: CanvasRenderingContext2D, shape: MarkShape, radius: number): void {
  pen.beginPath();
  if (shape === "circle") pen.arc(0, 0, radius, 0, 2 * Math.PI);
  else cornersOf(shape).forEach(([x, y], n) => (n === 0 ? pen.moveTo(x * radius, y * radius) : pen.lineTo(x * radius, y * radius)));
  pen.closePath();
}

function drawStop(pen: CanvasRenderingContext2D, { shape, state }: MarkName, colour: string, ground: string): void {
  outline(pen, shape, 10);
  pen.lineJoin = "round";
  pen.lineWidth = 3;
  pen.strokeStyle = ground;
  pen.stroke();
  pen.fillStyle = state === "done" ? ground : colour;
  pen.fill();
  if (state === "done") {
    pen.lineWidth = 1.6;
    pen.strokeStyle = colour;
    pen.stroke();
  }
  if (state === "late" || state === "failed") {
    // A corner of its own: a triangle warns, an octagon says that it went wrong.
    pen.translate(7.5, -7.5);
    pen.beginPath();
    if (state === "late") [[0, -5], [5, 4], [-5, 4]].forEach(([x = 0, y = 0], n) => (n === 0 ? pen.moveTo(x, y) : pen.lineTo(x, y)));
    else pen.arc(0, 0, 4.6, 0, 2 * Math.PI);
    pen.closePath();
    pen.lineWidth = 2.4;
    pen.strokeStyle = ground;
    pen.stroke();
    pen.fillStyle = token(state === "late" ? "--tone-warn" : "--tone-bad");
    pen.fill();
  }
}

function drawDepot(pen: CanvasRenderingContext2D, colour: string, ground: string): void {
  pen.beginPath();
  pen.moveTo(-10, 10);
  pen.lineTo(-10, -3);
  pen.lineTo(0, -10);
  pen.lineTo(10, -3);
  pen.lineTo(10, 10);
  pen.closePath();
  pen.lineJoin = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = ground;
  pen.stroke();
  pen.fillStyle = colour;
  pen.fill();
  pen.fillStyle = ground;
  pen.fillRect(-5, 1, 10, 9);
  pen.fillStyle = colour;
  pen.fillRect(-5, 3.5, 10, 1.4);
  pen.fillRect(-5, 6.5, 10, 1.4);
}

/** An arrow that points north; the map turns it. A stale one is hollow. */
function drawVehicle(pen: CanvasRenderingContext2D, colour: string, ground: string, stale: boolean): void {
  pen.beginPath();
  pen.arc(0, 0, 14, 0, 2 * Math.PI);
  pen.fillStyle = ground;
  pen.globalAlpha = 0.92;
  pen.fill();
  pen.globalAlpha = 1;
  pen.lineWidth = stale ? 1.5 : 2.5;
  pen.setLineDash(stale ? [3, 3] : []);
  pen.strokeStyle = colour;
  pen.stroke();
  pen.setLineDash([]);
  pen.beginPath();
  [[0, -9.5], [7, 7.5], [0, 4], [-7, 7.5]].forEach(([x = 0, y = 0], n) => (n === 0 ? pen.moveTo(x, y) : pen.lineTo(x, y)));
  pen.closePath();
  pen.lineJoin = "round";
  if (stale) {
    pen.lineWidth = 1.8;
    pen.stroke();
  } else {
    pen.fillStyle = colour;
    pen.fill();
  }
}
