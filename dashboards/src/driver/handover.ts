// What is handed over at a door: every carton whole unless the driver says otherwise, piece by piece where it must be.
// Pure: from the cartons and what was scanned, ticked and kept back to the lines of the proof.
import { compareDecimal, isZero, minus } from "@/components/numbers";
import type { DeliveredCarton, DriverCarton } from "@/data/driver";
import { means } from "./route";

export const KEEP_REASONS = ["damaged", "wrong_goods", "not_ordered", "missing", "not_wanted"] as const;
export type KeepReason = (typeof KEEP_REASONS)[number];
export const REFUSE_REASONS = ["damaged", "wrong_goods", "not_ordered", "too_late", "not_wanted"] as const;

export interface Kept {
  reason: KeepReason;
  /** Pieces kept back by the content's index; absent: the whole carton. */
  pieces?: Record<number, string>;
}

export interface HandOver {
  /** SSCCs seen by the scanner. */
  scanned: readonly string[];
  /** SSCCs the driver ticked off. */
  ticked: readonly string[];
  kept: Readonly<Record<string, Kept>>;
}

export const NOTHING_YET: HandOver = { scanned: [], ticked: [], kept: {} };

export type CartonState = "todo" | "handed" | "partly" | "kept";

export function stateOf(carton: DriverCarton, over: HandOver): CartonState {
  const kept = over.kept[carton.sscc];
  if (kept) return kept.pieces ? "partly" : "kept";
  return over.scanned.includes(carton.sscc) || over.ticked.includes(carton.sscc) ? "handed" : "todo";
}

/** What is still aboard for this stop: a carton on another van is not ours to hand over. */
export const aboard = (cartons: readonly DriverCarton[]): DriverCarton[] => cartons.filter((carton) => carton.where === "aboard" || carton.where === "partly_delivered");

/** The carton of a scan at this stop, or null: it belongs elsewhere. */
export function cartonOf(code: string, cartons: readonly DriverCarton[]): DriverCarton | null {
  return cartons.find((carton) => means(code, carton.sscc)) ?? null;
}

export function scan(over: HandOver, sscc: string): HandOver {
  return { ...over, scanned: over.scanned.includes(sscc) ? over.scanned : [...over.scanned, sscc], kept: without(over.kept, sscc) };
}

/** A tick, or taking it off again. */
export function toggle(over: HandOver, sscc: string): HandOver {
  if (over.kept[sscc]) return { ...over, kept: without(over.kept, sscc) };
  if (over.ticked.includes(sscc)) return { ...over, ticked: over.ticked.filter((one) => one !== sscc) };
  if (over.scanned.includes(sscc)) return { ...over, scanned: over.scanned.filter((one) => one !== sscc) };
  return { ...over, ticked: [...over.ticked, sscc] };
}

export function keep(over: HandOver, carton: DriverCarton, reason: KeepReason, pieces?: Record<number, string>): HandOver {
  const some = Object.fromEntries(Object.entries(pieces ?? {}).filter(([, quantity]) => !isZero(quantity)));
  const all = carton.contents.every((content, n) => some[n] !== undefined && compareDecimal(some[n] ?? "0", content.aboard) >= 0);
  if (pieces && Object.keys(some).length === 0) return { ...over, kept: without(over.kept, carton.sscc) };
  return { ...over, kept: { ...over.kept, [carton.sscc]: pieces && !all ? { reason, pieces: some } : { reason } } };
}

/** True once every carton was scanned, ticked or kept back. */
export const complete = (cartons: readonly DriverCarton[], over: HandOver): boolean => cartons.every((carton) => stateOf(carton, over) !== "todo");

export const anythingHanded = (cartons: readonly DriverCarton[], over: HandOver): boolean =>
  cartons.some((carton) => ["handed", "partly"].includes(stateOf(carton, over)));

export const anythingKept = (over: HandOver): boolean => Object.keys(over.kept).length > 0;

export function linesOf(cartons: readonly DriverCarton[], over: HandOver): DeliveredCarton[] {
  return cartons.map((carton) => {
    const kept = over.kept[carton.sscc];
    if (!kept) return { sscc: carton.sscc, delivered: "all" as const, reason: "" };
    if (!kept.pieces) return { sscc: carton.sscc, delivered: "none" as const, reason: kept.reason };
    const delivered = carton.contents
      .map((content, n) => ({ item_id: content.item_id, lot: content.lot, serial: content.serial, quantity: minus(content.aboard, kept.pieces?.[n] ?? "0") }))
      .filter((content) => !isZero(content.quantity));
    return { sscc: carton.sscc, delivered, reason: kept.reason };
  });
}

function without(kept: Readonly<Record<string, Kept>>, sscc: string): Record<string, Kept> {
  return Object.fromEntries(Object.entries(kept).filter(([one]) => one !== sscc));
}
