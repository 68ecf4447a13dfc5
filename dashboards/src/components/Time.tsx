// A moment in the site's zone; the full time with its zone stands in the title. Age ticks with the shared clock.
import { useTranslation } from "react-i18next";
import { useZone } from "@/data/site";
import { useNow } from "./now";
import { ageOf, calendarDay, fullTime, shortTime, wholeDaysUntil } from "./times";

export function useAge(at: string | null | undefined): string {
  const { t } = useTranslation();
  const now = useNow();
  if (!at) return t("age.never");
  const age = ageOf(Date.parse(at), now);
  if (age.unit === "now") return t("age.now");
  return age.future ? t(`age.in_${age.unit}`, { n: age.n }) : t(`age.${age.unit}`, { n: age.n });
}

export function Age({ at }: { at: string | null | undefined }) {
  const { i18n } = useTranslation();
  const zone = useZone();
  const text = useAge(at);
  if (!at) return <span className="soft">{text}</span>;
  return (
    <time className="nowrap" dateTime={at} title={fullTime(new Date(at), i18n.language, zone)}>
      {text}
    </time>
  );
}

export function Time({ at, age = false }: { at: string | null | undefined; age?: boolean }) {
  const { i18n } = useTranslation();
  const zone = useZone();
  const now = useNow();
  if (!at) return <span className="soft">–</span>;
  const date = new Date(at);
  return (
    <span className="nowrap">
      <time dateTime={at} title={fullTime(date, i18n.language, zone)}>
        {shortTime(date, new Date(now), i18n.language, zone)}
      </time>
      {age && (
        <span className="soft">
          {" · "}
          <Age at={at} />
        </span>
      )}
    </span>
  );
}

/** A calendar date such as an expiry; `near` days before it turns amber, after it red. */
export function Day({ on, near }: { on: string | null | undefined; near?: number }) {
  const { t, i18n } = useTranslation();
  const now = useNow();
  if (!on) return <span className="soft">–</span>;
  const days = wholeDaysUntil(on, now);
  const tone = near === undefined ? undefined : days < 0 ? "var(--tone-bad-ink)" : days <= near ? "var(--tone-warn-ink)" : undefined;
  return (
    <time className="nowrap" dateTime={on} style={{ color: tone, fontWeight: tone ? 600 : undefined }} title={t("age.in_days", { n: days })}>
      {calendarDay(on, i18n.language)}
      {tone && <span> · {days < 0 ? t("age.days", { n: -days }) : t("age.in_days", { n: days })}</span>}
    </time>
  );
}
