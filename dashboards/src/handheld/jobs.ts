// The nine jobs of the handheld, as they stand on the first screen. A new job: its flow, a line here, its words.
import {
  IconArrowsExchange, IconBoxSeam, IconClipboardCheck, IconPackageImport, IconSearch, IconShoppingCart, IconStackPush, IconTruckLoading, IconTruckReturn, type Icon,
} from "@tabler/icons-react";
import type { Topic } from "@/live/topics";
import type { Flow } from "./runtime";
import { count } from "./flows/count";
import { load } from "./flows/load";
import { lookup } from "./flows/lookup";
import { move } from "./flows/move";
import { pack } from "./flows/pack";
import { pick } from "./flows/pick";
import { putaway } from "./flows/putaway";
import { receive } from "./flows/receive";
import { takeBack } from "./flows/return";
import { countTasks, openAsns, packOrders, picksWaiting, putawayTasks, shipmentsToLoad, whoIsHere, type LookedUp } from "./work";

export interface Job {
  id: "receive" | "putaway" | "pick" | "pack" | "load" | "return" | "count" | "move" | "lookup";
  icon: Icon;
  flow: Flow<unknown>;
  topics: readonly Topic[];
  /** How much waits; absent where nothing can wait. */
  waiting?: () => Promise<number>;
}

// A flow's state is its own: the runtime only hands it back to the same flow.
const any = <S>(flow: Flow<S>) => flow as unknown as Flow<unknown>;

export const JOBS: readonly Job[] = [
  { id: "receive", icon: IconPackageImport, flow: any(receive), topics: ["receipts"], waiting: async () => (await openAsns()).length },
  { id: "putaway", icon: IconStackPush, flow: any(putaway), topics: ["tasks", "receipts"], waiting: async () => (await putawayTasks()).length },
  { id: "pick", icon: IconShoppingCart, flow: any(pick), topics: ["tasks", "orders"], waiting: async () => (await picksWaiting()).length },
  { id: "pack", icon: IconBoxSeam, flow: any(pack), topics: ["tasks", "orders"], waiting: async () => (await packOrders()).length },
  {
    id: "load", icon: IconTruckLoading, flow: any(load), topics: ["tasks", "orders"],
    waiting: async () => (await shipmentsToLoad()).reduce((sum, each) => sum + each.cartons.filter((carton) => carton.state === "closed").length, 0),
  },
  { id: "return", icon: IconTruckReturn, flow: any(takeBack), topics: [] },
  {
    id: "count", icon: IconClipboardCheck, flow: any(count), topics: ["tasks", "discrepancies"],
    waiting: async () => (await countTasks()).filter((task) => !task.counted_by.includes(`user:${whoIsHere()?.username ?? ""}`)).length,
  },
  { id: "move", icon: IconArrowsExchange, flow: any(move), topics: [] },
  { id: "lookup", icon: IconSearch, flow: any(lookup), topics: [] },
];

/** Which job a scan on the first screen begins. An order that has left is scanned because something of it came back. */
export function jobOf(meaning: LookedUp, hasPutaway: boolean, hasLeft: boolean): Job["id"] {
  if (meaning.kind === "asn" || meaning.place_kind === "dock_door") return "receive";
  if (meaning.kind === "sales_order") return hasLeft ? "return" : "pack";
  if (hasPutaway) return "putaway";
  return "lookup";
}
