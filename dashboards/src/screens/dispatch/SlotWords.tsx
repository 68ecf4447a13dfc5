// What a slot costs and breaks, in words and figures: the same wherever a slot is shown.
import { useTranslation } from "react-i18next";
import { Shape, type Tone } from "@/components/State";
import type { Slot } from "@/data/dispatch";
import { sentence } from "@/i18n/sentences";
import { useMeasures } from "./measures";
import { verdictOf, type Verdict } from "./moves";
import classes from "./Dispatch.module.css";

export const SLOT_TONES: Record<Verdict, Tone> = { best: "ok", good: "ok", late: "warn", forbidden: "bad" };

/** "+1.2 km · +6 min" in one line, with the first reason where something stands against it. */
export function SlotLine({ slot, here = false }: { slot: Slot; here?: boolean }) {
  const { t } = useTranslation("dispatch");
  const { km, minutes } = useMeasures();
  const verdict = verdictOf(slot);
  const late = slot.late[0] ? t("slot.late", { who: slot.late[0].customer_name, n: minutes(slot.late[0].seconds) }) : null;
  const broken = verdict === "forbidden" ? sentence(slot.violations.find((one) => !one.allowed_anyway)?.detail ?? null) : (late ?? sentence(slot.violations[0]?.detail ?? null));
  if (here) return <span className={`${classes.slotLine ?? ""} soft`}>{t("slot.here")}</span>;
  return (
    <span className={classes.slotLine} data-verdict={verdict}>
      <Shape tone={SLOT_TONES[verdict]} size={9} />
      <span className={classes.slotFigures}>
        {km(slot.extra_m, true)} · {minutes(slot.extra_s, true)}
      </span>
      {verdict === "best" && <b>{t("slot.best")}</b>}
      {broken && <span className={classes.slotWhy}>{broken}</span>}
    </span>
  );
}

/** What is broken besides being late, which is said by name and minutes. */
export function othersBroken(slot: Slot): string[] {
  return slot.violations.filter((broken) => broken.kind !== "outside_window" || slot.late.length === 0).map((broken) => sentence(broken.detail));
}

/** All of it: for the card under the pointer. */
export function SlotCard({ slot }: { slot: Slot }) {
  const { t } = useTranslation("dispatch");
  const { km, minutes, clock } = useMeasures();
  const verdict = verdictOf(slot);
  return (
    <div className={classes.slotCard} data-verdict={verdict}>
      <div className={classes.slotHead}>
        <Shape tone={SLOT_TONES[verdict]} size={12} />
        <strong>{t(`slot.verdict.${verdict}`)}</strong>
      </div>
      <div className={classes.slotFigures}>
        {km(slot.extra_m, true)} · {minutes(slot.extra_s, true)}
        {slot.arrival_at && <> · {t("slot.there_at", { at: clock(slot.arrival_at) })}</>}
      </div>
      {slot.late.map((late) => (
        <div key={late.job_id}>{t("slot.late", { who: late.customer_name, n: minutes(late.seconds) })}</div>
      ))}
      {othersBroken(slot).map((detail) => (
        <div key={detail}>{detail}</div>
      ))}
    </div>
  );
}
