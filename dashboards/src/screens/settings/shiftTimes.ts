// Shifts are told in the hours of the site: days of a week, and a wall clock's time as a moment. Pure.

/** YYYY-MM-DD of a moment at the site. */
export function dayAt(at: Date, zone: string): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(at);
}

export function timeAt(at: Date, zone: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at);
}

export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** Monday to Sunday of the week in which the day is. */
export function weekOf(day: string): string[] {
  const weekday = (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7;
  return Array.from({ length: 7 }, (_, n) => addDays(day, n - weekday));
}

/** The moment at which a clock on the site's wall shows this; an hour that is skipped in spring is the one after it. */
export function momentAt(day: string, time: string, zone: string): string {
  const wall = Date.parse(`${day}T${time}:00Z`);
  let guess = wall;
  for (let again = 0; again < 2; again += 1) {
    const shown = Date.parse(`${dayAt(new Date(guess), zone)}T${timeAt(new Date(guess), zone)}:00Z`);
    guess += wall - shown;
  }
  return new Date(guess).toISOString();
}

/** From and until on a day; until the next day where it is not later than from. */
export function spanAt(day: string, from: string, until: string, zone: string): [string, string] {
  return [momentAt(day, from, zone), momentAt(until > from ? day : addDays(day, 1), until, zone)];
}
