// Times in the site's zone, and ages. Pure functions; the components Time and Age draw them.
export type AgeUnit = "now" | "seconds" | "minutes" | "hours" | "days";

export function ageOf(at: number, now: number): { unit: AgeUnit; n: number; future: boolean } {
  const distance = now - at;
  const s = Math.round(Math.abs(distance) / 1000);
  const future = distance < -2000;
  if (s < 2) return { unit: "now", n: 0, future: false };
  if (s < 90) return { unit: "seconds", n: s, future };
  if (s < 90 * 60) return { unit: "minutes", n: Math.round(s / 60), future };
  if (s < 36 * 3600) return { unit: "hours", n: Math.round(s / 3600), future };
  return { unit: "days", n: Math.round(s / 86400), future };
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(language: string, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language}|${zone}|${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (!found) {
    const locale = language.startsWith("zh") ? "zh-CN" : "en-GB";
    try {
      found = new Intl.DateTimeFormat(locale, { ...options, timeZone: zone });
    } catch {
      found = new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" });
    }
    formats.set(key, found);
  }
  return found;
}

export function dayOf(at: Date, language: string, zone: string): string {
  return format(language, zone, { year: "numeric", month: "2-digit", day: "2-digit" }).format(at);
}

/** "14:03:22" today, "22 Nov 14:03" this year, "22 Nov 2025" before. */
export function shortTime(at: Date, now: Date, language: string, zone: string): string {
  if (dayOf(at, language, zone) === dayOf(now, language, zone)) {
    return format(language, zone, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(at);
  }
  if (format(language, zone, { year: "numeric" }).format(at) === format(language, zone, { year: "numeric" }).format(now)) {
    return format(language, zone, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at);
  }
  return format(language, zone, { day: "numeric", month: "short", year: "numeric" }).format(at);
}

/** "14:03" of the same day, "23 Nov 14:03" of another: for times ahead, where seconds would promise too much. */
export function clockTime(at: Date, now: Date, language: string, zone: string): string {
  const minute = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  const sameDay = dayOf(at, language, zone) === dayOf(now, language, zone);
  return format(language, zone, sameDay ? minute : { day: "numeric", month: "short", ...minute }).format(at);
}

/** "Sun 22 Nov" of a calendar date. */
export function weekDay(day: string, language: string): string {
  return format(language, "UTC", { weekday: "short", day: "numeric", month: "short" }).format(new Date(`${day.slice(0, 10)}T00:00:00Z`));
}

export function fullTime(at: Date, language: string, zone: string): string {
  return format(language, zone, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
    timeZoneName: "short",
  }).format(at);
}

/** A calendar date (expiry, due day) has no zone: it is shown as written. */
export function calendarDay(day: string, language: string): string {
  const at = new Date(`${day.slice(0, 10)}T00:00:00Z`);
  return format(language, "UTC", { day: "numeric", month: "short", year: "numeric" }).format(at);
}

export function wholeDaysUntil(day: string, now: number): number {
  return Math.ceil((Date.parse(`${day.slice(0, 10)}T00:00:00Z`) - now) / 86_400_000) || 0; // never -0
}
