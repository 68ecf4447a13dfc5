// Where it is busy, what is stuck, what is wrong: the plan of the building, and the day's flow beside it.
import { ActionIcon, Tooltip } from "@mantine/core";
import { useFullscreenElement } from "@mantine/hooks";
import { IconMaximize, IconMinimize } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Time } from "@/components/Time";
import { EmptyState, LiveView } from "@/components/views";
import { floorQuery } from "@/data/floor";
import { Day } from "./Day";
import { FloorPlan } from "./FloorPlan";
import { Legend } from "./Legend";
import classes from "./Floor.module.css";

export default function Floor() {
  const { t } = useTranslation(["floor", "common"]);
  const floor = useQuery(floorQuery);
  const { ref, toggle, fullscreen } = useFullscreenElement();
  return (
    <section className={classes.screen} ref={ref}>
      <header className={classes.head}>
        <h1>{floor.data?.name ?? t("title")}</h1>
        <span className="soft">{floor.data && <Time at={floor.data.now} />}</span>
        <Legend />
        <Tooltip label={t(fullscreen ? "leave_wall" : "wall")}>
          <ActionIcon variant="subtle" color="gray" size="lg" onClick={() => void toggle()} aria-label={t(fullscreen ? "leave_wall" : "wall")}>
            {fullscreen ? <IconMinimize size={18} stroke={1.6} /> : <IconMaximize size={18} stroke={1.6} />}
          </ActionIcon>
        </Tooltip>
      </header>
      <LiveView
        query={floor}
        empty={(f) => f.places.length === 0 && <EmptyState title={t("no_places")} next={t("no_places_next")} action={{ label: t("add_places"), to: "/settings/places" }} />}
      >
        {(f) => (
          <div className={classes.body}>
            <div className={classes.plan}>
              <FloorPlan floor={f} />
            </div>
            <aside className={classes.side}>
              <Day floor={f} />
            </aside>
          </div>
        )}
      </LiveView>
    </section>
  );
}
