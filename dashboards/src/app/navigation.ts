// The screens and who sees them: add a screen here and in routes.tsx.
import {
  IconAdjustmentsHorizontal, IconAntennaBars5, IconArrowsExchange, IconBuildingWarehouse, IconClipboardList, IconPackage, IconRoute, IconScale,
  IconShoppingCart, IconTruckDelivery, type Icon,
} from "@tabler/icons-react";

export interface Entry {
  to: string;
  /** Key in common.json under `nav`. */
  word: "floor" | "receipts" | "orders" | "dispatch" | "stock" | "discrepancies" | "replenishment" | "outbox" | "devices" | "settings";
  icon: Icon;
}

export const NAVIGATION: { word: "work" | "attend" | "run"; entries: Entry[] }[] = [
  {
    word: "work",
    entries: [
      { to: "/floor", word: "floor", icon: IconBuildingWarehouse },
      { to: "/receipts", word: "receipts", icon: IconTruckDelivery },
      { to: "/orders", word: "orders", icon: IconClipboardList },
      { to: "/dispatch", word: "dispatch", icon: IconRoute },
      { to: "/stock", word: "stock", icon: IconPackage },
    ],
  },
  {
    word: "attend",
    entries: [
      { to: "/discrepancies", word: "discrepancies", icon: IconScale },
      { to: "/replenishment", word: "replenishment", icon: IconShoppingCart },
      { to: "/outbox", word: "outbox", icon: IconArrowsExchange },
    ],
  },
  {
    word: "run",
    entries: [
      { to: "/devices", word: "devices", icon: IconAntennaBars5 },
      { to: "/settings", word: "settings", icon: IconAdjustmentsHorizontal },
    ],
  },
];
