// Vehicles at the doors and what was loaded into them.
import { pages } from "./queries";

export interface Shipment { id: string; number: string; state: string }
export const shipmentsQuery = (filter: Record<string, string>) => pages<Shipment>(["orders"], ["shipments", filter], () => Promise.resolve({ items: [] }));
