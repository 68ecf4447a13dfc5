// How cold it was where the unit stood: the sensors of the places on its way, stay by stay, with gaps between.
import { useQueries, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Chart, type Series } from "@/components/Chart";
import { Panel } from "@/components/Page";
import { useUnit } from "@/components/Quantity";
import { seriesQuery } from "@/data/devices";
import { floorQuery } from "@/data/floor";
import type { Movement } from "@/data/stock";
import { staysOf } from "./stays";

export function UnitTemperature({ movements }: { movements: readonly Movement[] }) {
  const { t } = useTranslation("stock");
  const unit = useUnit();
  const floor = useQuery(floorQuery);
  const stays = useMemo(() => (floor.data ? staysOf(movements, floor.data) : []), [movements, floor.data]);
  const answers = useQueries({ queries: stays.map((stay) => seriesQuery(stay.device_id, stay.channel, stay.from, stay.to ?? undefined)) });
  const points = answers.flatMap((answer, index) => {
    const found = (answer.data?.points ?? []).map((point) => ({ at: Date.parse(point.at) / 1000, value: point.average }));
    const last = found.at(-1);
    // Between two stays nobody measured the unit: the line breaks.
    return last && index < answers.length - 1 ? [...found, { at: last.at + 1, value: null }] : found;
  });
  const times = points.map((point) => point.at);
  const series: Series[] = [{ label: t("temperature"), unit: unit(answers[0]?.data?.unit ?? "C"), values: points.map((point) => point.value) }];
  if (points.every((point) => point.value === null)) return null;
  return (
    <Panel title={t("temperature")}>
      <Chart times={times} series={series} label={t("temperature")} height={200} />
    </Panel>
  );
}
