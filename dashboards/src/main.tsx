// The application: words, queries, live connection, routes. What the desktop needs beyond that (the component library)
// loads with app/Desktop, so that a handheld never fetches it.
import "@fontsource-variable/inter/wght.css";
import "./design/tokens.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router";
import { LiveBridge } from "./app/LiveBridge";
import { queries } from "./app/queries";
import { router } from "./app/routes";
import { startScheme } from "./design/scheme";
import { startI18n } from "./i18n";

startScheme();
await startI18n();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <LiveBridge />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
