// Everything that is set rather than done: a list of chapters and the chosen one beside it.
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, NavLink, Route, Routes } from "react-router";
import { useMay } from "@/app/may";
import { LoadingRows } from "@/components/views";
import type { Role } from "@/data/people";
import classes from "./Settings.module.css";

const CHAPTERS = [
  { path: "me", roles: null, screen: lazy(() => import("./Me")) },
  { path: "sites", roles: ["admin"], screen: lazy(() => import("./Sites")) },
  { path: "places", roles: ["lead", "integrator"], screen: lazy(() => import("./Places")) },
  { path: "plates", roles: ["lead", "integrator", "worker"], screen: lazy(() => import("./Plates")) },
  { path: "items", roles: ["lead", "integrator"], screen: lazy(() => import("./Items")) },
  { path: "partners", roles: ["lead", "integrator"], screen: lazy(() => import("./Partners")) },
  { path: "imports", roles: ["lead", "integrator"], screen: lazy(() => import("./Imports")) },
  { path: "tags", roles: ["lead", "integrator"], screen: lazy(() => import("./Tags")) },
  { path: "labels", roles: ["lead", "worker"], screen: lazy(() => import("./Labels")) },
  { path: "depots", roles: ["dispatcher", "lead"], screen: lazy(() => import("./Depots")) },
  { path: "vehicles", roles: ["dispatcher", "lead"], screen: lazy(() => import("./Vehicles")) },
  { path: "shifts", roles: ["dispatcher", "lead"], screen: lazy(() => import("./Shifts")) },
  { path: "users", roles: ["admin", "lead"], screen: lazy(() => import("./Users")) },
  { path: "tokens", roles: ["admin", "integrator"], screen: lazy(() => import("./Tokens")) },
  { path: "audit", roles: ["admin", "lead"], screen: lazy(() => import("./Audit")) },
  { path: "ledger", roles: ["lead", "integrator"], screen: lazy(() => import("./LedgerCheck")) },
] as const satisfies readonly { path: string; roles: readonly Role[] | null; screen: unknown }[];

export default function Settings() {
  const { t } = useTranslation(["settings", "common"]);
  const may = useMay();
  const mine = CHAPTERS.filter((chapter) => chapter.roles === null || may(...chapter.roles));
  return (
    <div className={classes.frame}>
      <nav className={classes.chapters} aria-label={t("title")}>
        {mine.map(({ path }) => (
          <NavLink key={path} to={`/settings/${path}`} className={classes.chapter}>
            {t(`chapter.${path}`)}
          </NavLink>
        ))}
      </nav>
      <div className={classes.body}>
        <Suspense fallback={<LoadingRows />}>
          <Routes>
            <Route index element={<Navigate to="me" replace />} />
            {mine.map(({ path, screen: Screen }) => (
              <Route key={path} path={path} element={<Screen />} />
            ))}
            <Route path="*" element={<Navigate to="/settings/me" replace />} />
          </Routes>
        </Suspense>
      </div>
    </div>
  );
}
