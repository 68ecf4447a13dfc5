// The handheld's own routes (/handheld/*): its log-in, the nine jobs, and each job. It shares tokens, words, session and data
// with the desktop, and none of its shell. A job is a flow (flows/*), run by `Runtime` and drawn by `StepScreen`.
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, Route, Routes } from "react-router";
import { useSession } from "@/api/session";
import { useChosenSite } from "@/api/site";
import { useSites } from "@/data/site";
import { Home } from "./Home";
import { JOBS } from "./jobs";
import { LogIn } from "./LogIn";
import { SiteChoice } from "./SiteChoice";
import { StepScreen } from "./StepScreen";
import { storedTheme } from "./theme";

export default function Handheld() {
  useTranslation(["handheld", "common"]); // both before anything is drawn
  const session = useSession();
  useEffect(() => {
    const root = document.documentElement;
    root.dataset["handheld"] = storedTheme();
    return () => {
      delete root.dataset["handheld"];
    };
  }, []);
  const sites = useSites();
  const chosen = useChosenSite();
  if (!session) return <LogIn />;
  if (session.user.site_id === null && sites.length > 1 && !sites.some((site) => site.id === chosen)) return <SiteChoice sites={sites} />;
  return (
    <Routes>
      <Route index element={<Home />} />
      {JOBS.map((job) => <Route key={job.id} path={job.id} element={<StepScreen key={job.id} job={job} />} />)}
      <Route path="*" element={<Navigate to="/handheld" replace />} />
    </Routes>
  );
}
