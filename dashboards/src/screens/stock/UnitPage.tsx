// Where was this unit: one EPC, SSCC or serial through time, with how long it stayed and how cold it was.
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { Actor } from "@/components/Actor";
import { Code } from "@/components/Code";
import { Facts, Timeline, type Moment } from "@/components/facts";
import { ItemLink, PlaceLink } from "@/components/MovementTable";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord, type Tone } from "@/components/State";
import { Day, Time } from "@/components/Time";
import { EmptyState, LiveView } from "@/components/views";
import { useNow } from "@/components/now";
import { unitQuery, type Movement, type Unit } from "@/data/stock";
import { reason } from "@/i18n/sentences";
import { UnitTemperature } from "./UnitTemperature";

export default function UnitPage() {
  const { t } = useTranslation(["stock", "common"]);
  const word = useWord();
  const { code = "" } = useParams();
  const unit = useQuery(unitQuery(code));
  return (
    <Page
      name={code}
      title={<span className="mono">{unit.data?.code ?? code}</span>}
      crumbs={[{ label: t("title"), to: "/stock" }]}
      lead={unit.data && `${word("kind", unit.data.kind)} · ${unit.data.label}`}
    >
      <LiveView query={unit}>{(known) => <Way unit={known} />}</LiveView>
    </Page>
  );
}

const TONE: Record<string, Tone> = { receipt: "ok", putaway: "busy", pick: "busy", shipment: "ok", count: "warn", adjustment: "warn", discrepancy: "bad", return: "warn" };

function Way({ unit }: { unit: Unit }) {
  const { t } = useTranslation(["stock", "common"]);
  const word = useWord();
  const stay = useStay();
  const moments: Moment[] = unit.movements
    .map((m, index): Moment => {
      const next = unit.movements[index + 1];
      return {
        key: m.id,
        tone: TONE[m.cause_kind] ?? "wait",
        when: <Time at={m.occurred_at} />,
        title: (
          <>
            <Link to={`/movements/${m.id}`} className="quiet-link">
              {word("cause", m.cause_kind)}
            </Link>
            {": "}
            <PlaceLink id={m.from_place_id} code={m.from_place} /> → <PlaceLink id={m.to_place_id} code={m.to_place} />
            {" · "}
            <Quantity value={m.quantity} unit={m.unit} /> {m.sku}
          </>
        ),
        detail: (
          <>
            <Actor actor={m.actor} /> · {reason(m.reason)} · {stay(m, next)}
          </>
        ),
      };
    })
    .reverse();
  const [first] = unit.here;
  return (
    <Columns ratio="minmax(0, 1.7fr) minmax(320px, 1fr)">
      <Stack>
        <Panel title={t("way")}>
          {moments.length > 0 ? <Timeline moments={moments} /> : <EmptyState title={t("no_way")} next={t("no_way_next")} />}
        </Panel>
        <UnitTemperature movements={unit.movements} />
      </Stack>
      <Panel title={t("now")}>
        {first ? (
          <>
            <div style={{ fontSize: "1.5rem", fontWeight: 620, marginBottom: 8 }}>
              <PlaceLink id={first.place_id} code={first.place_code} />
            </div>
            {unit.here.map((b) => (
              <Facts
                key={`${b.place_id}${b.item_id}${b.lot_id ?? ""}${b.status}${b.serial ?? ""}`}
                facts={[
                  [t("common:field.item"), <ItemLink key="i" id={b.item_id} sku={b.sku} name={b.item_name} />],
                  [t("common:field.quantity"), <Quantity key="q" value={b.on_hand} unit={b.unit} />],
                  Boolean(b.lot_code ?? b.serial) && [t("common:field.lot"), <Code key="l" value={[b.lot_code, b.serial].filter(Boolean).join(" · ")} />],
                  b.expires_on !== null && [t("common:field.expiry"), <Day key="e" on={b.expires_on} near={30} />],
                  [t("common:field.status"), <State key="s" value={b.status} />],
                ]}
              />
            ))}
          </>
        ) : (
          <EmptyState title={t("not_here")} next={moments.length > 0 ? t("not_here_next") : undefined} />
        )}
      </Panel>
    </Columns>
  );
}

function useStay(): (movement: Movement, next: Movement | undefined) => string {
  const { t } = useTranslation(["stock", "common"]);
  const now = useNow();
  return (movement, next) => {
    const until = next ? Date.parse(next.occurred_at) : now;
    const minutes = Math.max(0, Math.round((until - Date.parse(movement.occurred_at)) / 60_000));
    const length = minutes < 120 ? t("minutes", { n: minutes }) : minutes < 48 * 60 ? t("hours", { n: Math.round(minutes / 60) }) : t("days", { n: Math.round(minutes / 1440) });
    return t("stayed", { place: movement.to_place, length });
  };
}
