// The plan as a list of layers, from the ground up. Metres become pixels in one place: `useScale`.
import { useElementSize } from "@mantine/hooks";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Floor } from "@/data/floor";
import { AlertLayer, BinLayer, BuildingLayer, DoorLayer, PeopleLayer, SensorLayer, ZoneLayer } from "./layers";
import { layOut, wallOf, type Box, type Plan } from "./plan";

export interface Drawing {
  floor: Floor;
  /** Pixels of a place, or null where it has no spot. */
  boxOf: (placeId: string | null) => Box | null;
  buildings: Box[];
  scale: number;
}

/** Room around the building: wide where names of doors stand beside it. */
function marginsOf(floor: Floor, plan: Plan): { x: number; y: number } {
  const walls = floor.places.filter((place) => place.kind === "dock_door").map((place) => {
    const box = plan.boxes.get(place.id);
    return box ? wallOf(box, plan.buildings) : null;
  });
  return { x: walls.includes("left") || walls.includes("right") ? 64 : 22, y: 32 };
}

export function FloorPlan({ floor }: { floor: Floor }) {
  const { t } = useTranslation("floor");
  const { ref, width, height } = useElementSize<HTMLDivElement>();
  const plan = useMemo(() => layOut(floor.places), [floor.places]);
  const { bounds } = plan;
  const margin = marginsOf(floor, plan);
  const scale = Math.min((width - 2 * margin.x) / bounds.w, (height - 2 * margin.y) / bounds.h);
  const left = (width - bounds.w * scale) / 2 - bounds.x * scale;
  const top = (height - bounds.h * scale) / 2 - bounds.y * scale;
  const toPixels = (box: Box): Box => ({ x: left + box.x * scale, y: top + box.y * scale, w: box.w * scale, h: box.h * scale });
  const boxOf = (id: string | null) => {
    const box = id === null ? undefined : plan.boxes.get(id);
    return box ? toPixels(box) : null;
  };
  const drawing: Drawing = { floor, boxOf, buildings: plan.buildings.map(toPixels), scale };

  return (
    <div ref={ref} style={{ position: "absolute", inset: 0 }}>
      {width > 0 && height > 0 && scale > 0 && (
        <svg width={width} height={height} role="img" aria-label={t("plan_label", { name: floor.name })}>
          <BuildingLayer {...drawing} />
          <ZoneLayer {...drawing} />
          <BinLayer {...drawing} />
          <DoorLayer {...drawing} />
          <SensorLayer {...drawing} />
          <PeopleLayer {...drawing} />
          <AlertLayer {...drawing} />
        </svg>
      )}
    </div>
  );
}
