// Every address and its screen. Screens load when first opened; the handheld shares nothing with the desktop shell.
import { lazy, Suspense, type ComponentType } from "react";
import { createBrowserRouter, Navigate, type RouteObject } from "react-router";
import { CrashScreen } from "./CrashScreen";
import { RequireSession } from "./RequireSession";
import { Waiting } from "./Waiting";

type Screen = () => Promise<{ default: ComponentType }>;

function screen(path: string, load: Screen) {
  const Component = lazy(load);
  return {
    path,
    element: (
      <Suspense fallback={<Waiting />}>
        <Component />
      </Suspense>
    ),
    errorElement: <CrashScreen />,
  } satisfies RouteObject;
}

/** A frame around other screens. */
function layout(load: Screen, path?: string) {
  return { ...screen("", load), path };
}

export const router = createBrowserRouter([
  {
    errorElement: <CrashScreen />,
    children: [
      screen("/handheld/*", () => import("@/handheld")), // it has a log-in of its own
      screen("/driver/*", () => import("@/driver")), // so has this one
      screen("/track/:token", () => import("@/tracking")), // nobody logs in here
      {
        ...layout(() => import("./Desktop")),
        children: [
          screen("/login", () => import("@/screens/login/LogIn")),
          {
            element: <RequireSession />,
            children: [
              {
                ...layout(() => import("./Shell"), "/"),
                children: [
                  { index: true, element: <Navigate to="/floor" replace /> },
                  screen("floor", () => import("@/screens/floor/Floor")),
                  screen("stock", () => import("@/screens/stock/Stock")),
                  screen("items/:itemId", () => import("@/screens/stock/ItemPage")),
                  screen("units/:code", () => import("@/screens/stock/UnitPage")),
                  screen("movements", () => import("@/screens/stock/Movements")),
                  screen("movements/:movementId", () => import("@/screens/stock/MovementPage")),
                  screen("transfers", () => import("@/screens/stock/Transfers")),
                  screen("places/:placeId", () => import("@/screens/stock/PlacePage")),
                  screen("receipts", () => import("@/screens/receipts/Receipts")),
                  screen("receipts/:receiptId", () => import("@/screens/receipts/ReceiptPage")),
                  screen("asns/:asnId", () => import("@/screens/receipts/AsnPage")),
                  screen("returns/:returnId", () => import("@/screens/receipts/ReturnPage")),
                  screen("orders", () => import("@/screens/orders/Orders")),
                  screen("orders/:orderId", () => import("@/screens/orders/OrderPage")),
                  screen("shipments/:shipmentId", () => import("@/screens/orders/ShipmentPage")),
                  screen("dispatch", () => import("@/screens/dispatch/Dispatch")),
                  screen("discrepancies", () => import("@/screens/discrepancies/Discrepancies")),
                  screen("discrepancies/:discrepancyId", () => import("@/screens/discrepancies/DiscrepancyPage")),
                  screen("replenishment", () => import("@/screens/replenishment/Replenishment")),
                  screen("outbox", () => import("@/screens/outbox/Outbox")),
                  screen("outbox/:postingId", () => import("@/screens/outbox/PostingPage")),
                  screen("devices", () => import("@/screens/devices/Devices")),
                  screen("devices/:deviceId", () => import("@/screens/devices/DevicePage")),
                  screen("settings/*", () => import("@/screens/settings/Settings")),
                  screen("*", () => import("./NotFound")),
                ],
              },
            ],
          },
        ],
      },
    ],
  },
]);
