// The layers of the plan. Each draws one kind of thing and nothing else; every mark leads to what it stands for.
import { useMemo, type KeyboardEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { ageOf } from "@/components/times";
import { groupDigits } from "@/components/numbers";
import { useNow } from "@/components/now";
import { useReading, useUnit } from "@/components/Quantity";
import { useWord } from "@/components/State";
import type { FloorPlace, Passage } from "@/data/floor";
import { sentence } from "@/i18n/sentences";
import type { Drawing } from "./FloorPlan";
import { fillStep, wallOf, type Box, type Side } from "./plan";
import classes from "./layers.module.css";

const STORES = new Set(["bin", "staging", "pack_bench", "quarantine", "vehicle"]);

function Mark({ to, label, children }: { to: string; label: string; children: ReactNode }) {
  const navigate = useNavigate();
  const go = () => void navigate(to);
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter") go();
  };
  return (
    <g role="link" tabIndex={0} aria-label={label} className={classes.mark} onClick={go} onKeyDown={onKey}>
      <title>{label}</title>
      {children}
    </g>
  );
}

export function BuildingLayer({ buildings }: Drawing) {
  return (
    <g>
      {buildings.map((box, index) => (
        <rect key={index} {...rect(box)} rx={6} className={classes.building} />
      ))}
    </g>
  );
}

export function ZoneLayer({ floor, boxOf }: Drawing) {
  const word = useWord();
  const inside = useMemo(() => totals(floor.places), [floor.places]);
  return (
    <g>
      {floor.places
        .filter((place) => place.kind === "zone" || place.kind === "aisle")
        .map((place) => {
          const box = boxOf(place.id);
          if (!box) return null;
          const total = inside.get(place.id) ?? { onHand: Number(place.on_hand), capacity: null };
          const percent = total.capacity ? Math.round((100 * total.onHand) / total.capacity) : null;
          const name = place.name || place.code;
          const onHand = groupDigits(String(Math.round(total.onHand)));
          const withPercent = percent === null ? onHand : `${onHand} · ${percent} %`;
          const left = (said: string) => box.w - 22 - said.length * 6.4;
          const count = widthOf(name) <= left(withPercent) ? withPercent : onHand;
          return (
            <Mark key={place.id} to={`/places/${place.id}`} label={`${place.code} · ${groupDigits(String(total.onHand))}`}>
              <rect {...rect(box)} rx={5} className={classes.zone} data-class={place.storage_class} />
              {place.kind === "zone" && box.w > 60 && (
                <>
                  <text x={box.x + 8} y={box.y + 17} className={classes.zoneName}>
                    {longest([`${name} · ${word("storage", place.storage_class)}`, name].slice(place.storage_class === "ambient" ? 1 : 0), left(count))}
                  </text>
                  <text x={box.x + box.w - 8} y={box.y + 17} className={classes.zoneCount}>
                    {count}
                  </text>
                </>
              )}
            </Mark>
          );
        })}
    </g>
  );
}

export function BinLayer({ floor, boxOf }: Drawing) {
  const { t } = useTranslation("floor");
  const unit = useUnit();
  return (
    <g>
      {floor.places
        .filter((place) => STORES.has(place.kind))
        .map((place) => {
          const box = boxOf(place.id);
          if (!box) return null;
          const step = fillStep(Number(place.on_hand), place.max_units === null ? null : Number(place.max_units));
          const room = place.max_units === null ? "" : ` / ${groupDigits(place.max_units)}`;
          const label = t("bin_label", { code: place.code, onHand: `${groupDigits(place.on_hand)}${room} ${unit("units")}`, items: place.items });
          const named = place.kind !== "bin";
          return (
            <Mark key={place.id} to={`/places/${place.id}`} label={label}>
              <rect {...rect(box)} rx={named ? 5 : 2} className={named ? classes.area : classes.bin} data-fill={step ?? "unknown"} />
              {named && box.w > 50 && box.h > 22 && (
                <>
                  <text x={box.x + 8} y={box.y + Math.min(17, box.h / 2 + 4)} className={classes.zoneName}>
                    {longest([place.name || place.code, place.code], box.w - 22 - groupDigits(place.on_hand).length * 6.4)}
                  </text>
                  <text x={box.x + box.w - 8} y={box.y + Math.min(17, box.h / 2 + 4)} className={classes.zoneCount}>
                    {groupDigits(place.on_hand)}
                  </text>
                </>
              )}
              {!named && box.w > 38 && box.h > 20 && (
                <text x={box.x + box.w / 2} y={box.y + box.h / 2 + 3.5} className={classes.binName} data-fill={step ?? "unknown"}>
                  {box.w > place.code.length * 6 + 6 ? place.code : place.code.slice(-5)}
                </text>
              )}
            </Mark>
          );
        })}
    </g>
  );
}

export function DoorLayer({ floor, boxOf, buildings }: Drawing) {
  const { t } = useTranslation(["floor", "common"]);
  const now = useNow();
  const latest = new Map<string, Passage>();
  for (const passage of [...floor.passages].reverse()) latest.set(passage.place_id, passage);
  return (
    <g>
      {floor.places
        .filter((place) => place.kind === "dock_door")
        .map((place) => {
          const box = boxOf(place.id);
          if (!box) return null;
          const side = wallOf(box, buildings);
          const passage = latest.get(place.id);
          const age = passage ? ageOf(Date.parse(passage.at), now) : null;
          const fresh = passage !== undefined && now - Date.parse(passage.at) < 12_000;
          const inward = passage?.direction.startsWith("in") ?? true;
          const said = passage && age ? t(inward ? "passed_in" : "passed_out", { count: passage.tags, age: t(age.unit === "now" ? "common:age.now" : `common:age.${age.unit}`, { n: age.n }) }) : t("quiet");
          return (
            <Mark key={place.id} to={`/places/${place.id}`} label={`${place.name || place.code}: ${said}`}>
              <rect {...rect(box)} rx={2} className={classes.door} data-busy={fresh || undefined} />
              <text {...beside(box, side)} className={classes.doorName}>
                {place.code}
              </text>
              {fresh && (
                <g key={passage.at} className={classes.passage} data-inward={inward || undefined} style={towards(side, inward)}>
                  <path d={arrow(box, side, inward)} />
                  <text {...countAt(box, side)}>{passage.tags}</text>
                </g>
              )}
              {fresh && <circle key={`ring-${passage.at}`} cx={box.x + box.w / 2} cy={box.y + box.h / 2} r={14} className={classes.ring} />}
            </Mark>
          );
        })}
    </g>
  );
}

export function SensorLayer({ floor, boxOf }: Drawing) {
  const reading = useReading();
  const perPlace = new Map<string, typeof floor.sensors>();
  for (const sensor of floor.sensors) {
    if (sensor.place_id) perPlace.set(sensor.place_id, [...(perPlace.get(sensor.place_id) ?? []), sensor]);
  }
  return (
    <g>
      {[...perPlace.entries()].flatMap(([placeId, sensors]) => {
        const box = boxOf(placeId);
        if (!box) return [];
        let right = box.x + box.w - 6;
        let y = box.y + box.h - 22;
        return sensors.slice(0, 3).map((sensor) => {
          const out = sensor.out_of_limits_since !== null;
          const text = `${out ? "▲ " : ""}${reading(sensor.channel, Number(sensor.value), sensor.unit)}`;
          const w = text.length * 6.6 + 16;
          if (right - w < box.x + 6 && right < box.x + box.w - 6) {
            right = box.x + box.w - 6;
            y -= 22;
          }
          const x = right - w;
          right = x - 4;
          return (
            <Mark key={sensor.device_id + sensor.channel} to={`/devices/${sensor.device_id}`} label={`${sensor.device} ${sensor.channel}: ${text}`}>
              <rect x={x} y={y} width={w} height={18} rx={9} className={classes.sensor} data-out={out || undefined} />
              <text x={x + w / 2} y={y + 12.8} className={classes.sensorText} data-out={out || undefined}>
                {text}
              </text>
            </Mark>
          );
        });
      })}
    </g>
  );
}

export function PeopleLayer({ floor, boxOf }: Drawing) {
  const word = useWord();
  const seated = new Map<string, number>();
  return (
    <g>
      {floor.people.map((person) => {
        const box = boxOf(person.place_id);
        if (!box || person.place_id === null) return null;
        const nth = seated.get(person.place_id) ?? 0;
        seated.set(person.place_id, nth + 1);
        const name = person.actor.split(":").at(-1) ?? person.actor;
        const cx = box.x + box.w / 2 + nth * 16;
        const cy = box.y + box.h / 2;
        return (
          <g key={person.actor} className={classes.person} style={{ transform: `translate(${cx}px, ${cy}px)` }}>
            <title>{`${name}: ${word("floor:doing", person.doing)} ${person.label}`}</title>
            <circle r={11} />
            <text y={3.6}>{name.slice(0, 2).toUpperCase()}</text>
          </g>
        );
      })}
    </g>
  );
}

export function AlertLayer({ floor, boxOf }: Drawing) {
  const seen = new Set<string>();
  return (
    <g>
      {floor.alerts.map((alert) => {
        const box = boxOf(alert.place_id);
        if (!box || alert.place_id === null || seen.has(alert.place_id)) return null;
        seen.add(alert.place_id);
        return (
          <Mark key={alert.id} to="/devices?tab=alerts" label={sentence(alert.message)}>
            <rect {...rect(box)} rx={5} className={classes.alertBox} data-calm={alert.acknowledged || undefined} />
            <path d={`M${box.x + box.w} ${box.y - 12} l10 17 h-20 Z`} className={classes.alertSign} />
          </Mark>
        );
      })}
    </g>
  );
}

// --- geometry of marks ----------------------------------------------------------------------------------

const rect = (box: Box) => ({ x: box.x, y: box.y, width: box.w, height: box.h });

function totals(places: readonly FloorPlace[]): Map<string, { onHand: number; capacity: number | null }> {
  const parents = new Map(places.map((place) => [place.id, place.parent_id]));
  const found = new Map<string, { onHand: number; capacity: number | null }>();
  for (const place of places) {
    let at: string | null | undefined = place.id;
    for (let depth = 0; at && depth < 16; depth += 1, at = parents.get(at)) {
      const sum = found.get(at) ?? { onHand: 0, capacity: 0 };
      const room = place.kind === "bin" ? (place.max_units === null ? null : Number(place.max_units)) : 0;
      found.set(at, { onHand: sum.onHand + Number(place.on_hand), capacity: sum.capacity === null || room === null ? null : sum.capacity + room });
    }
  }
  return found;
}

/** The first of several wordings that fits, else the last one cut. */
function longest(wordings: string[], width: number): string {
  return wordings.find((text) => widthOf(text) <= width) ?? fit(wordings.at(-1) ?? "", width);
}

function fit(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const letters = [...text];
  while (letters.length > 2 && widthOf(`${letters.join("")}…`) > width) letters.pop();
  return `${letters.join("")}…`;
}

/** About, in pixels: Chinese letters are twice as wide. */
function widthOf(text: string): number {
  return [...text].reduce((sum, letter) => sum + (letter > "\u2e80" ? 12.5 : 6.6), 0);
}

/** The door's name stands outside the wall. */
function beside(box: Box, side: Side) {
  switch (side) {
    case "left":
      return { x: box.x - 8, y: box.y + box.h / 2 + 4, textAnchor: "end" as const };
    case "right":
      return { x: box.x + box.w + 8, y: box.y + box.h / 2 + 4, textAnchor: "start" as const };
    case "top":
      return { x: box.x + box.w / 2, y: box.y - 8, textAnchor: "middle" as const };
    case "bottom":
      return { x: box.x + box.w / 2, y: box.y + box.h + 16, textAnchor: "middle" as const };
  }
}

const OUTWARD: Record<Side, [number, number]> = { left: [-1, 0], right: [1, 0], top: [0, -1], bottom: [0, 1] };

/** Just inside the door, where a passage is drawn. */
function threshold(box: Box, side: Side): [x: number, y: number] {
  const [dx, dy] = OUTWARD[side];
  return [box.x + box.w / 2 - dx * (box.w / 2 + 13), box.y + box.h / 2 - dy * (box.h / 2 + 13)];
}

function arrow(box: Box, side: Side, inward: boolean): string {
  const [dx, dy] = OUTWARD[side];
  const [cx, cy] = threshold(box, side);
  const sign = inward ? -1 : 1;
  const tip = `${cx + dx * 7 * sign} ${cy + dy * 7 * sign}`;
  const base = (across: number) => `${cx - dx * 5 * sign + dy * across} ${cy - dy * 5 * sign + dx * across}`;
  return `M${tip} L${base(7)} L${base(-7)} Z`;
}

function countAt(box: Box, side: Side) {
  const [, dy] = OUTWARD[side];
  const [x, y] = threshold(box, side);
  return { x: x + (dy === 0 ? 0 : 18), y: y + (dy === 0 ? -12 : 4), textAnchor: "middle" as const };
}

function towards(side: Side, inward: boolean): React.CSSProperties {
  const [dx, dy] = OUTWARD[side];
  const sign = inward ? 1 : -1;
  return { "--dx": `${dx * 7 * sign}px`, "--dy": `${dy * 7 * sign}px` } as React.CSSProperties;
}
