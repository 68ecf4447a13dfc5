// How cold it was where the unit stood: filled from the sensors of the places on its way.
import type { Movement } from "@/data/stock";

export function UnitTemperature(_: { movements: readonly Movement[] }) {
  return null;
}
