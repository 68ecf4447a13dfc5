// Loading: the door, then each carton's SSCC. What belongs on another vehicle or door is refused by the backend, and recorded.
import { bad, good, type Flow, type Io, type Outcome } from "../runtime";
import { depart, loadCarton, lookUp, shipment, shipmentsToLoad, type Shipment } from "../work";

export interface State {
  shipments: Shipment[];
  door: { id: string; code: string } | null;
  shipment: Shipment | null;
}

export const load: Flow<State> = {
  async start(io) {
    return { state: { shipments: await io.read(shipmentsToLoad), door: null, shipment: null } };
  },

  scan: (state, code, io) => (state.door ? cartonScanned(state, code, io) : doorScanned(state, code, io)),

  async refresh(state, io) {
    const shipments = await io.read(shipmentsToLoad);
    const { shipment: open } = state;
    return { ...state, shipments, shipment: open ? await io.read(() => shipment(open.id)) : null };
  },

  view(state, t) {
    const waiting = state.shipments.filter((each) => each.cartons.some((carton) => carton.state === "closed"));
    if (!state.door) {
      return {
        instruction: t("handheld:load.scan_door"), expect: "door",
        choices: waiting.slice(0, 4).filter((each) => each.door_id && each.door_code).map((each) => ({
          id: each.id, label: each.door_code ?? "", sub: [each.vehicle_code, each.number].filter(Boolean).join(" · "),
          run: async (now: State) => ({ state: { ...now, door: { id: each.door_id ?? "", code: each.door_code ?? "" }, shipment: each } }),
        })),
        facts: [{ label: t("handheld:load.waiting"), value: String(waiting.reduce((sum, each) => sum + each.cartons.filter((carton) => carton.state === "closed").length, 0)) }],
      };
    }
    const { shipment: open } = state;
    const loaded = open?.cartons.filter((carton) => carton.loaded_at !== null) ?? [];
    const rest = open?.cartons.filter((carton) => carton.loaded_at === null) ?? [];
    const complete = open !== null && loaded.length > 0 && rest.length === 0;
    return {
      instruction: complete ? t("handheld:load.complete") : t("handheld:load.scan_carton"), expect: complete ? "nothing" : "plate",
      target: { text: open?.vehicle_code ?? state.door.code, sub: open ? (open.vehicle_code ? `${open.number} · ${state.door.code}` : open.number) : undefined, tone: complete ? "good" : undefined },
      amount: open ? { now: String(loaded.length), of: String(open.cartons.length) } : undefined,
      facts: rest.slice(0, 3).map((carton) => ({ label: `…${carton.sscc.slice(-8)}`, value: `${carton.order_number}${carton.place_code ? ` · ${carton.place_code}` : ""}` })),
      actions: [
        { id: "door", label: t("handheld:load.other_door"), run: async (_, io) => ({ state: { shipments: await io.read(shipmentsToLoad), door: null, shipment: null } }) },
        ...(complete && open
          ? [{
              id: "depart", label: t("handheld:load.depart"), strong: true, run: async (now: State, io: Io) => {
                const gone = await io.send((key) => depart(open.id, key));
                return good({ ...now, door: null, shipment: null, shipments: await io.read(shipmentsToLoad) }, t("handheld:load.departed"), gone.vehicle_code ?? gone.number);
              },
            }]
          : []),
      ],
    };
  },
};

async function doorScanned(state: State, code: string, io: Io): Promise<Outcome<State>> {
  const meaning = await io.read(() => lookUp(code));
  if (meaning.place_kind !== "dock_door" || !meaning.place_id) return bad(state, io.t("handheld:wrong.door"), { expected: io.t("handheld:expect.door"), seen: meaning.label });
  const shipments = await io.read(shipmentsToLoad);
  const here = shipments.filter((each) => each.door_id === meaning.place_id);
  const door = { id: meaning.place_id, code: meaning.code };
  return good({ shipments, door, shipment: here.length === 1 ? (here[0] ?? null) : null }, meaning.code, here[0]?.vehicle_code ?? undefined);
}

async function cartonScanned(state: State, code: string, io: Io): Promise<Outcome<State>> {
  const { door } = state;
  if (!door) return { state };
  const shipments = state.shipment ? state.shipments : await io.read(shipmentsToLoad);
  const own = shipments.find((each) => each.cartons.some((carton) => code.replace(/[^0-9A-Za-z]/g, "").endsWith(carton.sscc)));
  // At a door whose vehicle is known the scan goes there as it is: a carton of another one is refused with the right one named.
  const onto = state.shipment ?? own ?? shipments.find((each) => each.door_id === door.id);
  if (!onto) return bad(state, io.t("handheld:load.no_shipment"), { expected: io.t("handheld:expect.plate"), seen: code });
  const now = await io.send((key) => loadCarton(onto.id, code, door.code, key));
  const rest = now.cartons.filter((carton) => carton.loaded_at === null).length;
  const next: State = { ...state, shipments: shipments.map((each) => (each.id === now.id ? now : each)), shipment: now };
  if (rest === 0) return good(next, io.t("handheld:load.complete"), now.vehicle_code ?? now.number);
  return good(next, `${now.cartons.length - rest} / ${now.cartons.length}`, now.vehicle_code ?? door.code);
}
