import "i18next";
import type common from "./en/common.json";
import type devices from "./en/devices.json";
import type discrepancies from "./en/discrepancies.json";
import type dispatch from "./en/dispatch.json";
import type driver from "./en/driver.json";
import type floor from "./en/floor.json";
import type handheld from "./en/handheld.json";
import type orders from "./en/orders.json";
import type outbox from "./en/outbox.json";
import type receipts from "./en/receipts.json";
import type replenishment from "./en/replenishment.json";
import type settings from "./en/settings.json";
import type stock from "./en/stock.json";
import type tracking from "./en/tracking.json";

// A key that is not in the English file is a type error. A new namespace: one line above and one below.
declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "common";
    resources: {
      common: typeof common;
      devices: typeof devices;
      discrepancies: typeof discrepancies;
      dispatch: typeof dispatch;
      driver: typeof driver;
      floor: typeof floor;
      handheld: typeof handheld;
      orders: typeof orders;
      outbox: typeof outbox;
      receipts: typeof receipts;
      replenishment: typeof replenishment;
      settings: typeof settings;
      stock: typeof stock;
      tracking: typeof tracking;
    };
  }
}
