// The first screen: nine jobs with what waits in each. A scan here begins the right job by itself.
import { IconLanguage, IconLogout, IconMoon, IconSun } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { newKey } from "@/api/command";
import { asProblem } from "@/api/problem";
import { useSession } from "@/api/session";
import { logOut } from "@/data/people";
import { live } from "@/data/queries";
import { speak } from "@/i18n";
import { useLiveState } from "@/live";
import { JOBS, jobOf, type Job } from "./jobs";
import { signal } from "./signals";
import { useTheme } from "./theme";
import { useCatcher } from "./useCatcher";
import { lookUp, orderOf, putawayTasks } from "./work";
import classes from "./Handheld.module.css";

export function Home() {
  const { t, i18n } = useTranslation("handheld");
  const navigate = useNavigate();
  const [theme, setTheme] = useTheme();
  const user = useSession()?.user;
  const lost = useLiveState().status === "lost";
  const [unknown, setUnknown] = useState<{ code: string; why: string } | null>(null);

  useCatcher({
    onScan: (code) => {
      signal("heard");
      void begin(code).then((job) => navigate(`/handheld/${job}?code=${encodeURIComponent(code)}`)).catch((error: unknown) => {
        signal("bad");
        setUnknown({ code, why: asProblem(error).status === 0 ? t("net.not_reached") : t("problem.unknown-code") });
      });
    },
  });

  return (
    <main className={classes.screen} data-testid="handheld-home">
      <header className={classes.bar}>
        <h1>{user?.name ?? t("home.title")}</h1>
        <button type="button" data-testid="theme" onClick={() => setTheme(theme === "dark" ? "light" : "dark")} aria-label={t(theme === "dark" ? "home.light" : "home.dark")}>
          {theme === "dark" ? <IconSun size={26} /> : <IconMoon size={26} />}
        </button>
        <button type="button" data-testid="language" onClick={() => void speak(i18n.language === "zh" ? "en" : "zh")} aria-label={t("home.other_language")}>
          <IconLanguage size={28} />
        </button>
        <button type="button" data-testid="log-out" onClick={() => void logOut({ "idempotency-key": newKey() })} aria-label={t("home.log_out")}>
          <IconLogout size={26} />
        </button>
      </header>
      <p className={classes.homeHint} data-tone={unknown ? "bad" : lost ? "warn" : undefined} role="status" data-testid="home-hint">
        {unknown ? `${unknown.why} ${unknown.code}` : lost ? t("net.not_live") : t("home.hint")}
      </p>
      <div className={classes.jobs}>
        {JOBS.map((job) => <Tile key={job.id} job={job} onOpen={() => void navigate(`/handheld/${job.id}`)} />)}
      </div>
    </main>
  );
}

function Tile({ job, onOpen }: { job: Job; onOpen: () => void }) {
  const { t } = useTranslation("handheld");
  const { waiting } = job;
  const count = useQuery({ ...live(job.topics, ["handheld", "waiting", job.id], () => waiting?.() ?? Promise.resolve(0)), enabled: waiting !== undefined });
  const n = waiting ? count.data : undefined;
  const shown = n === undefined ? "" : n >= 100 ? "99+" : String(n);
  return (
    <button type="button" className={classes.job} data-testid={`job-${job.id}`} data-idle={n === 0 || undefined} onClick={onOpen}>
      <job.icon size={34} stroke={1.8} />
      {waiting && <output aria-label={t("home.waiting", { n: shown || "…" })}>{shown || "…"}</output>}
      <strong>{t(`job.${job.id}`)}</strong>
    </button>
  );
}

async function begin(code: string): Promise<Job["id"]> {
  const meaning = await lookUp(code).catch((error: unknown) => {
    // An SSCC that nobody knows yet may be what is being delivered.
    if (asProblem(error).status === 404 && /^(]C1)?(\(?00\)?)?\d{18}$/.test(code)) return null;
    throw error;
  });
  if (!meaning) return "receive";
  const waits = meaning.license_plate_id || meaning.item_id ? await putawayTasks({ code }).catch(() => []) : [];
  const hasLeft = meaning.kind === "sales_order" && (await orderOf(meaning.id)).state === "shipped";
  return jobOf(meaning, waits.length > 0, hasLeft);
}
