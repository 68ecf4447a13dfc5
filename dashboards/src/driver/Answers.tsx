// An answer over the whole screen for a moment, and a refusal that stays readable: what was expected, what was scanned.
import { IconAlertTriangle, IconCheck, IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import classes from "./Driver.module.css";

export interface Flash {
  tone: "good" | "warn" | "bad";
  title: string;
  detail?: string;
  expected?: string;
  seen?: string;
}

/** It goes by itself; the next scan does not wait for it. */
export function Answered({ flash }: { flash: Flash }) {
  const Mark = flash.tone === "good" ? IconCheck : flash.tone === "bad" ? IconX : IconAlertTriangle;
  return (
    <div className={classes.flash} data-tone={flash.tone} data-testid="answer" aria-live="assertive">
      <Mark size={120} stroke={2.6} />
      <strong>{flash.title}</strong>
      {flash.tone === "bad" ? <Compared flash={flash} /> : flash.detail && <p>{flash.detail}</p>}
    </div>
  );
}

function Compared({ flash }: { flash: Flash }) {
  const { t } = useTranslation("driver");
  return (
    <>
      {(flash.expected || flash.seen) && (
        <dl className={classes.compared}>
          {flash.expected && <div><dt>{t("answer.expected")}</dt><dd data-testid="expected">{flash.expected}</dd></div>}
          {flash.seen && <div><dt>{t("answer.seen")}</dt><dd data-testid="seen">{flash.seen}</dd></div>}
        </dl>
      )}
      {flash.detail && <p>{flash.detail}</p>}
    </>
  );
}

export function Verdict({ verdict }: { verdict: Flash | null }) {
  if (!verdict) return null;
  return (
    <section className={classes.verdict} role="alert" data-testid="verdict">
      <strong>{verdict.title}</strong>
      <Compared flash={verdict} />
    </section>
  );
}
