// The ledger, filtered: what an on-hand figure is made of.
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import { CloseButton, Pill } from "@mantine/core";
import { MovementTable } from "@/components/MovementTable";
import { Page, Panel } from "@/components/Page";
import { Choice, useFilter } from "@/components/filters";
import { useWord } from "@/components/State";
import { itemQuery, placeQuery } from "@/data/catalog";
import { useList } from "@/data/queries";
import { movementsQuery, type MovementFilter } from "@/data/stock";

const FILTERS = ["item_id", "place_id", "lot_id", "cause_id", "correlation_id", "serial", "license_plate_id"] as const;
const CAUSES = ["receipt", "putaway", "pick", "shipment", "count", "adjustment", "transfer", "return"];

export default function Movements() {
  const { t } = useTranslation(["stock", "common"]);
  const word = useWord();
  const [params, setParams] = useSearchParams();
  const [cause] = useFilter("cause_kind", "all");
  const filter: MovementFilter = Object.fromEntries(FILTERS.map((name) => [name, params.get(name) ?? undefined]));
  if (cause !== "all") filter.cause_kind = cause;
  const list = useList(movementsQuery(filter, 100));
  const active = FILTERS.filter((name) => params.has(name));
  const drop = (name: string) => {
    const next = new URLSearchParams(params);
    next.delete(name);
    setParams(next, { replace: true });
  };
  return (
    <Page
      title={t("movements")}
      crumbs={[{ label: t("title"), to: "/stock" }]}
      lead={t("movements_lead")}
      toolbar={
        <>
          <Choice name="cause_kind" fallback="all" options={[{ value: "all", label: t("common:action.all") }, ...CAUSES.map((value) => ({ value, label: word("cause", value) }))]} />
          {active.map((name) => (
            <Pill key={name} size="md">
              {t(`filter.${name}`)}: <FilterValue name={name} value={params.get(name) ?? ""} />
              <CloseButton size="xs" onClick={() => drop(name)} aria-label={t("drop_filter")} />
            </Pill>
          ))}
        </>
      }
    >
      <Panel flush>
        <MovementTable list={list} withItem={!filter.item_id} />
      </Panel>
    </Page>
  );
}

function FilterValue({ name, value }: { name: (typeof FILTERS)[number]; value: string }) {
  if (name === "item_id") return <ItemName id={value} />;
  if (name === "place_id") return <PlaceName id={value} />;
  return <span className="mono">{value.length > 12 ? `${value.slice(0, 8)}…` : value}</span>;
}

function ItemName({ id }: { id: string }) {
  const item = useQuery(itemQuery(id));
  return <Link to={`/items/${id}`}>{item.data?.sku ?? "…"}</Link>;
}

function PlaceName({ id }: { id: string }) {
  const place = useQuery(placeQuery(id));
  return <Link to={`/places/${id}`}>{place.data?.code ?? "…"}</Link>;
}
