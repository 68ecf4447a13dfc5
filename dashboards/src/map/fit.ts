// What should be seen: the smallest box around points, never smaller than a few streets.
export type LonLat = [lon: number, lat: number];
export type Bounds = [west: number, south: number, east: number, north: number];

const LEAST = 0.004;

export function boundsOf(points: Iterable<LonLat | null | undefined>): Bounds | null {
  let found: Bounds | null = null;
  for (const point of points) {
    if (!point) continue;
    const [lon, lat] = point;
    if (!Number.isFinite(lon) || !Number.isFinite(lat)) continue;
    found = found ? [Math.min(found[0], lon), Math.min(found[1], lat), Math.max(found[2], lon), Math.max(found[3], lat)] : [lon, lat, lon, lat];
  }
  if (!found) return null;
  const [w, s, e, n] = found;
  const x = Math.max(0, LEAST - (e - w)) / 2, y = Math.max(0, LEAST / 2 - (n - s)) / 2;
  return [w - x, s - y, e + x, n + y];
}
