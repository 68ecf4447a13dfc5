import { expect, test } from "vitest";
import { staysOf } from "@/screens/stock/stays";

const place = (id: string, parent_id: string | null) => ({ id, parent_id }) as never;
const sensor = (place_id: string, channel: string) => ({ device_id: `at-${place_id}`, place_id, channel }) as never;
const moved = (to_place_id: string, occurred_at: string) => ({ to_place_id, occurred_at });

test("a bin is as cold as the room around it, for as long as the unit stood there", () => {
  const floor = { places: [place("bin", "room"), place("room", null), place("dock", null)], sensors: [sensor("room", "temperature"), sensor("dock", "humidity")] };
  expect(staysOf([moved("dock", "T1"), moved("bin", "T2"), moved("dock", "T3")], floor)).toEqual([
    { device_id: "at-room", channel: "temperature", from: "T2", to: "T3" },
  ]);
  expect(staysOf([moved("bin", "T2")], floor)[0]?.to).toBeNull();
});
