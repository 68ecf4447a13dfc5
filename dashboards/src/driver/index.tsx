// The driver's own routes (/driver/*): log-in, today's routes, and each route from the first parcel to the last return. It
// loads without the component library. What a driver does goes through one outbox (outbox.ts), which outlives a reload.
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, Route, Routes, useParams } from "react-router";
import { useSession } from "@/api/session";
import { useChosenSite } from "@/api/site";
import { useSites } from "@/data/site";
import { Home } from "./Home";
import { LogIn } from "./LogIn";
import { RouteScreen } from "./RouteScreen";
import { SiteChoice } from "./SiteChoice";

export default function Driver() {
  const { t } = useTranslation(["driver", "common"]); // both before anything is drawn
  const session = useSession();
  useEffect(() => {
    document.title = `${t("title")} · Stowage`;
    document.documentElement.dataset["driver"] = "";
    return () => {
      delete document.documentElement.dataset["driver"];
    };
  }, [t]);
  const sites = useSites();
  const chosen = useChosenSite();
  if (!session) return <LogIn />;
  if (session.user.site_id === null && sites.length > 1 && !sites.some((site) => site.id === chosen)) return <SiteChoice sites={sites} />;
  return (
    <Routes>
      <Route index element={<Home />} />
      <Route path=":routeId" element={<OneRoute />} />
      <Route path="*" element={<Navigate to="/driver" replace />} />
    </Routes>
  );
}

/** Another route is another screen: nothing of the last one stays. */
function OneRoute() {
  const { routeId = "" } = useParams();
  return <RouteScreen key={routeId} id={routeId} />;
}
