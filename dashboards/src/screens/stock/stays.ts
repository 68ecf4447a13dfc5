// Which thermometer was beside a unit, from when to when: the nearest sensor in the place or in a place around it.
import type { Floor } from "@/data/floor";
import type { Movement } from "@/data/stock";

export interface Stay {
  device_id: string;
  channel: string;
  from: string;
  /** null: still there. */
  to: string | null;
}

export function staysOf(
  movements: readonly Pick<Movement, "to_place_id" | "occurred_at">[],
  floor: Pick<Floor, "places" | "sensors">,
): Stay[] {
  const parents = new Map(floor.places.map((place) => [place.id, place.parent_id]));
  const thermometers = new Map(
    floor.sensors.filter((sensor) => /temp/.test(sensor.channel) && sensor.place_id !== null).map((sensor) => [sensor.place_id, sensor]),
  );
  const stays: Stay[] = [];
  movements.forEach((movement, index) => {
    let at: string | null | undefined = movement.to_place_id;
    for (let depth = 0; at && depth < 16; depth += 1, at = parents.get(at)) {
      const sensor = thermometers.get(at);
      if (!sensor) continue;
      stays.push({ device_id: sensor.device_id, channel: sensor.channel, from: movement.occurred_at, to: movements[index + 1]?.occurred_at ?? null });
      break;
    }
  });
  return stays;
}
