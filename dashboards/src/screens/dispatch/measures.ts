// Distances, durations, weights and times of the day as a dispatcher reads them.
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useZone } from "@/data/site";
import { dayIn, hourOf } from "./lanes";

export interface Measures {
  km: (m: number, signed?: boolean) => string;
  minutes: (s: number, signed?: boolean) => string;
  hours: (s: number) => string;
  kg: (g: number) => string;
  litres: (ml: number) => string;
  /** "14:05"; with `day`, "00:40 +1" where it is a day later. */
  clock: (at: string | number | null | undefined, day?: string) => string;
  zone: string;
}

const sign = (value: number, signed: boolean): string => (value < 0 ? "−" : signed && value > 0 ? "+" : "");

export function useMeasures(): Measures {
  const { t } = useTranslation("dispatch");
  const zone = useZone();
  return useMemo(() => {
    const number = (value: number, digits: number) => Math.abs(value).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return {
      zone,
      km: (m, signed = false) => {
        const value = Math.abs(m) >= 100_000 ? Math.round(m / 1000) : Math.round(m / 100) / 10;
        return t("measure.km", { n: `${sign(value, signed)}${number(value, Math.abs(m) >= 100_000 ? 0 : 1)}` });
      },
      minutes: (s, signed = false) => {
        const value = Math.round(s / 60) || 0;
        return t("measure.min", { n: `${sign(value, signed)}${number(value, 0)}` });
      },
      hours: (s) => {
        const all = Math.round(Math.abs(s) / 60);
        return all < 60 ? t("measure.min", { n: all }) : t("measure.h", { h: Math.floor(all / 60), m: String(all % 60).padStart(2, "0") });
      },
      kg: (g) => t("measure.kg", { n: number(g / 1000, g < 10_000 ? 1 : 0) }),
      litres: (ml) => t("measure.l", { n: number(ml / 1000, ml < 10_000 ? 1 : 0) }),
      clock: (at, day) => {
        if (at === null || at === undefined) return "–";
        const moment = typeof at === "number" ? at : Date.parse(at);
        const text = hourOf(moment, zone);
        if (!day) return text;
        const on = dayIn(zone, moment);
        const days = Math.round((Date.parse(on) - Date.parse(day)) / 86_400_000);
        return days === 0 ? text : `${text} ${sign(days, true)}${String(Math.abs(days))}`;
      },
    };
  }, [t, zone]);
}
