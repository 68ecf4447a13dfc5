// Handing over to the driver's own navigation: a link that each app understands. This phone remembers which one.
export type NavigationApp = "geo" | "google" | "apple" | "osm";

export interface Target {
  lat: number;
  lon: number;
  label: string;
}

export const NAVIGATION_APPS: readonly NavigationApp[] = ["geo", "google", "apple", "osm"];
const KEY = "stowage.driver.navigation";

export function linkTo(app: NavigationApp, { lat, lon, label }: Target): string {
  const at = `${lat.toFixed(6)},${lon.toFixed(6)}`;
  switch (app) {
    case "geo":
      return `geo:${at}?q=${at}(${encodeURIComponent(label)})`;
    case "google":
      return `https://www.google.com/maps/dir/?api=1&destination=${at}&travelmode=driving`;
    case "apple":
      return `https://maps.apple.com/?daddr=${at}&dirflg=d`;
    case "osm":
      return `https://www.openstreetmap.org/directions?engine=fossgis_osrm_car&route=%3B${at}`;
  }
}

/** What the phone has: an Android asks which app (geo:), an iPhone has Apple's. */
export function usualApp(agent: string = navigator.userAgent): NavigationApp {
  if (/Android/i.test(agent)) return "geo";
  if (/iPhone|iPad|Macintosh/i.test(agent)) return "apple";
  return "osm";
}

export function chosenApp(): NavigationApp {
  const stored = localStorage.getItem(KEY) as NavigationApp | null;
  return stored && NAVIGATION_APPS.includes(stored) ? stored : usualApp();
}

export function chooseApp(app: NavigationApp): void {
  localStorage.setItem(KEY, app);
}
