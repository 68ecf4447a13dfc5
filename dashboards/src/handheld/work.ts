// What the handheld asks of the backend. A question that hangs is given up after a few seconds and asked again.
import { api, ask } from "@/api/client";
import type { Key } from "@/api/command";
import { session } from "@/api/session";
import type { components } from "@/api/schema";

type Schemas = components["schemas"];
export type Asn = Schemas["AsnSummary"];
export type Receipt = Schemas["ReceiptOut"];
export type Scanned = Schemas["ScannedOut"];
export type PutawayTask = Schemas["PutawayTask"];
export type PickTask = Schemas["PickTask"];
export type Carton = Schemas["Carton"];
export type PackOrder = Schemas["PackOrder"];
export type PackBench = Schemas["PackBench"];
export type Shipment = Schemas["Shipment"];
export type CountTask = Schemas["CountTaskOut"];
export type CustomerReturn = Schemas["ReturnOut"];
export type NewReturnLine = Schemas["NewReturnLine"];
export type Returnable = Schemas["ReturnableOut"];
export type LookedUp = Schemas["LookedUp"];
export type Step = Schemas["Undone"];

const ANSWER_WITHIN_MS = 8_000;
const soon = () => ({ signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });

export const lookUp = (code: string) => ask(api.GET("/api/v1/lookup", { params: { query: { code } }, ...soon() }));
export const lastStep = () => ask(api.GET("/api/v1/undo", soon())).then((found) => found.step);
export const undo = (header: Key) => ask(api.POST("/api/v1/undo", { params: { header }, ...soon() }));

// receive
export const openAsns = () => ask(api.GET("/api/v1/asns", { params: { query: { state: "open", limit: 100 } }, ...soon() })).then((page) => page.items);
export const asn = (id: string) => ask(api.GET("/api/v1/asns/{asn_id}", { params: { path: { asn_id: id } }, ...soon() }));
export const openReceipts = () =>
  ask(api.GET("/api/v1/receipts", { params: { query: { state: "open", limit: 100 } }, ...soon() })).then((page) => page.items);
export const receipt = (id: string) => ask(api.GET("/api/v1/receipts/{receipt_id}", { params: { path: { receipt_id: id } }, ...soon() }));
export const openReceipt = (body: Schemas["NewReceiptIn"], header: Key) => ask(api.POST("/api/v1/receipts", { params: { header }, body, ...soon() }));
export const scanIntoReceipt = (id: string, body: Omit<Schemas["ScanIn"], "status"> & { status?: Schemas["ScanIn"]["status"] }, header: Key) =>
  ask(api.POST("/api/v1/receipts/{receipt_id}/scans", { params: { path: { receipt_id: id }, header }, body: { status: "available", ...body }, ...soon() }));
export const closeReceipt = (id: string, short_reasons: Schemas["ShortReason"][], header: Key) =>
  ask(api.POST("/api/v1/receipts/{receipt_id}/close", { params: { path: { receipt_id: id }, header }, body: { short_reasons }, ...soon() }));

// put away
export const putawayTasks = (query: { code?: string; mine?: boolean } = {}) =>
  ask(api.GET("/api/v1/putaway-tasks", { params: { query: { ...query, state: "todo", limit: 100 } }, ...soon() })).then((page) => page.items);
export const putawayTask = (id: string) => ask(api.GET("/api/v1/putaway-tasks/{task_id}", { params: { path: { task_id: id } }, ...soon() }));
export const newPutawayTask = (code: string, header: Key) => ask(api.POST("/api/v1/putaway-tasks", { params: { header }, body: { code }, ...soon() }));
export const claimPutaway = (id: string, header: Key) =>
  ask(api.POST("/api/v1/putaway-tasks/{task_id}/claim", { params: { path: { task_id: id }, header }, ...soon() }));
export const releasePutaway = (id: string, header: Key) =>
  ask(api.POST("/api/v1/putaway-tasks/{task_id}/release", { params: { path: { task_id: id }, header }, ...soon() }));
export const confirmPutaway = (id: string, body: { place: string; quantity?: string; override?: boolean }, header: Key) =>
  ask(api.POST("/api/v1/putaway-tasks/{task_id}/confirm", { params: { path: { task_id: id }, header }, body: { override: false, ...body }, ...soon() }));

// pick
export const picksWaiting = () =>
  ask(api.GET("/api/v1/pick-tasks", { params: { query: { state: ["open", "claimed"], limit: 100 } }, ...soon() })).then((page) => page.items);
export const nextPick = (header: Key) => ask(api.POST("/api/v1/pick-tasks/next", { params: { header }, body: {}, ...soon() })).then((found) => found.task);
export const pickTask = (id: string) => ask(api.GET("/api/v1/pick-tasks/{task_id}", { params: { path: { task_id: id } }, ...soon() }));
export const confirmPick = (id: string, body: Omit<Schemas["Pick"], "change_lot"> & { change_lot?: boolean }, header: Key) =>
  ask(api.POST("/api/v1/pick-tasks/{task_id}/confirm", { params: { path: { task_id: id }, header }, body: { change_lot: false, ...body }, ...soon() }));
export const shortPick = (id: string, reason: Schemas["ShortPick"]["reason"], left: string, header: Key) =>
  ask(api.POST("/api/v1/pick-tasks/{task_id}/short", { params: { path: { task_id: id }, header }, body: { reason, left }, ...soon() }));
export const skipPick = (id: string, reason: string, header: Key) =>
  ask(api.POST("/api/v1/pick-tasks/{task_id}/skip", { params: { path: { task_id: id }, header }, body: { reason }, ...soon() }));
export const zeroCheck = (id: string, left: string, header: Key) =>
  ask(api.POST("/api/v1/pick-tasks/{task_id}/zero-check", { params: { path: { task_id: id }, header }, body: { left }, ...soon() }));

// pack
export const packOrders = () => ask(api.GET("/api/v1/pack-orders", { params: { query: { limit: 100 } }, ...soon() })).then((page) => page.items);
export const packBenches = () => ask(api.GET("/api/v1/pack-benches", soon())).then((page) => page.items);
export const openCarton = (body: Schemas["NewCarton"], header: Key) => ask(api.POST("/api/v1/cartons", { params: { header }, body, ...soon() }));
export const carton = (id: string) => ask(api.GET("/api/v1/cartons/{carton_id}", { params: { path: { carton_id: id } }, ...soon() }));
export const packItem = (id: string, body: Schemas["PackScan"], header: Key) =>
  ask(api.POST("/api/v1/cartons/{carton_id}/contents", { params: { path: { carton_id: id }, header }, body, ...soon() }));
export const weighCarton = (id: string, weight_g: string, header: Key) =>
  ask(api.POST("/api/v1/cartons/{carton_id}/weight", { params: { path: { carton_id: id }, header }, body: { weight_g }, ...soon() }));
export const closeCarton = (id: string, header: Key) =>
  ask(api.POST("/api/v1/cartons/{carton_id}/close", { params: { path: { carton_id: id }, header }, body: {}, ...soon() }));
export const labelsOf = (subject_id: string) =>
  ask(api.GET("/api/v1/labels", { params: { query: { subject_id, limit: 5 } }, ...soon() })).then((page) => page.items);
export const reprint = (id: string, header: Key) =>
  ask(api.POST("/api/v1/labels/{label_id}/reprint", { params: { path: { label_id: id }, header }, body: {}, ...soon() }));

// load
export const shipmentsToLoad = () =>
  ask(api.GET("/api/v1/shipments", { params: { query: { state: ["planned", "loading"], limit: 100 } }, ...soon() })).then((page) => page.items);
export const shipment = (id: string) => ask(api.GET("/api/v1/shipments/{shipment_id}", { params: { path: { shipment_id: id } }, ...soon() }));
export const loadCarton = (id: string, code: string, door: string | null, header: Key) =>
  ask(api.POST("/api/v1/shipments/{shipment_id}/load", { params: { path: { shipment_id: id }, header }, body: { code, door }, ...soon() }));
export const depart = (id: string, header: Key) =>
  ask(api.POST("/api/v1/shipments/{shipment_id}/depart", { params: { path: { shipment_id: id }, header }, body: { anyway: false }, ...soon() }));

// returns
export const orderOf = (id: string) => ask(api.GET("/api/v1/sales-orders/{order_id}", { params: { path: { order_id: id } }, ...soon() }));
export const returnsOfOrder = (order_id: string) => ask(api.GET("/api/v1/returns", { params: { query: { order_id, limit: 1 } }, ...soon() })).then((page) => page.items);
export const customerReturn = (id: string) => ask(api.GET("/api/v1/returns/{return_id}", { params: { path: { return_id: id } }, ...soon() }));
export const returnable = (query: { code: string; quantity: string; order_id?: string; lot?: string; expires_on?: string; serial?: string }) =>
  ask(api.GET("/api/v1/returnable", { params: { query }, ...soon() }));
export const beginReturn = (body: { order_id?: string; lines: NewReturnLine[] }, header: Key) =>
  ask(api.POST("/api/v1/returns", { params: { header }, body: { note: "", ...body }, ...soon() }));
export const addReturnLine = (id: string, body: NewReturnLine, header: Key) =>
  ask(api.POST("/api/v1/returns/{return_id}/lines", { params: { path: { return_id: id }, header }, body, ...soon() }));

// count
export const countTasks = async () => {
  const [open, again] = await Promise.all(
    (["open", "recount"] as const).map((state) =>
      ask(api.GET("/api/v1/count-tasks", { params: { query: { state, limit: 100 } }, ...soon() })).then((page) => page.items),
    ),
  );
  return [...(again ?? []), ...(open ?? [])];
};
export const countTask = (id: string) => ask(api.GET("/api/v1/count-tasks/{task_id}", { params: { path: { task_id: id } }, ...soon() }));
export const newCount = (place: string, header: Key) =>
  ask(api.POST("/api/v1/count-tasks", { params: { header }, body: { place, reason: "cycle count", tolerance: "0" }, ...soon() }));
export const countLine = (id: string, body: Schemas["CountLine"], header: Key) =>
  ask(api.POST("/api/v1/count-tasks/{task_id}/lines", { params: { path: { task_id: id }, header }, body, ...soon() }));
export const submitCount = (id: string, header: Key) =>
  ask(api.POST("/api/v1/count-tasks/{task_id}/submit", { params: { path: { task_id: id }, header }, ...soon() }));

// move and look up
export const move = (body: Pick<Schemas["NewMove"], "code" | "to_place" | "from_place" | "quantity" | "lot">, header: Key) =>
  ask(api.POST("/api/v1/moves", { params: { header }, body: { reason: "moved", ...body }, ...soon() }));
export const unit = (code: string) => ask(api.GET("/api/v1/units/{code}", { params: { path: { code } }, ...soon() }));
export const itemStock = (id: string) => ask(api.GET("/api/v1/items/{item_id}/stock", { params: { path: { item_id: id } }, ...soon() }));
export const balances = (query: { place_id?: string; lot_id?: string; item_id?: string }) =>
  ask(api.GET("/api/v1/balances", { params: { query: { ...query, limit: 50 } }, ...soon() })).then((page) => page.items);
export const movements = (query: { place_id?: string; lot_id?: string; item_id?: string }) =>
  ask(api.GET("/api/v1/movements", { params: { query: { ...query, limit: 6 } }, ...soon() })).then((page) => page.items);

export const whoIsHere = () => session.get()?.user ?? null;
