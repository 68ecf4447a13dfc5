// One difference: what the books said beside what was seen, the evidence under both, and the way to settle it.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { FormDialog, text } from "@/components/CommandForm";
import { Evidence } from "@/components/Evidence";
import { Facts, Figure, Figures } from "@/components/facts";
import { ItemLink, MovementTable, PlaceLink } from "@/components/MovementTable";
import { minus } from "@/components/numbers";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { Time } from "@/components/Time";
import { ErrorState, LiveView } from "@/components/views";
import { discrepancyQuery, recountDiscrepancy, resolveDiscrepancy, type Discrepancy } from "@/data/discrepancies";
import { useList } from "@/data/queries";
import { balancesQuery, movementsQuery } from "@/data/stock";
import { Balances } from "../stock/ItemPage";

export default function DiscrepancyPage() {
  const { t } = useTranslation(["discrepancies", "common"]);
  const word = useWord();
  const may = useMay();
  const { discrepancyId = "" } = useParams();
  const discrepancy = useQuery(discrepancyQuery(discrepancyId));
  const [resolving, setResolving] = useState(false);
  const recount = useCommand(recountDiscrepancy, { changes: ["discrepancies", "tasks"] });
  const resolve = useCommand(resolveDiscrepancy, { changes: ["discrepancies"] });
  const known = discrepancy.data;
  return (
    <Page
      name={t("title")}
      title={known ? <>{word("discrepancies:kind", known.kind)} <State value={known.state} tone={known.state === "open" ? "warn" : undefined} /></> : "…"}
      crumbs={[{ label: t("title"), to: "/discrepancies" }]}
      lead={known && <Time at={known.raised_at} age />}
      actions={
        known?.state === "open" && (
          <>
            {!known.count_task_id && (
              <Button loading={recount.isPending} onClick={() => recount.mutate(discrepancyId)}>
                {t("recount")}
              </Button>
            )}
            {may("lead") && (
              <Button variant="default" onClick={() => setResolving(true)}>
                {t("resolve")}
              </Button>
            )}
          </>
        )
      }
    >
      {recount.error && <ErrorState error={recount.error} compact />}
      <LiveView query={discrepancy}>{(d) => <Details discrepancy={d} />}</LiveView>
      <FormDialog
        title={t("resolve")}
        opened={resolving}
        onClose={() => setResolving(false)}
        command={resolve}
        fields={[{ name: "resolution", label: t("resolution"), hint: t("resolution_hint"), kind: "textarea", required: true }]}
        toInput={(values) => ({ id: discrepancyId, resolution: text(values["resolution"]) })}
        submit={t("resolve")}
        done={t("resolved_done")}
      />
    </Page>
  );
}

function Details({ discrepancy: d }: { discrepancy: Discrepancy }) {
  const { t } = useTranslation(["discrepancies", "common"]);
  return (
    <>
      <Figures>
        <Figure label={t("books")} note={d.place_code ? t("at_place", { place: d.place_code }) : undefined}>
          <Quantity size="xl" value={d.expected} />
        </Figure>
        <Figure label={t("reality")} note={t("as_seen")}>
          <Quantity size="xl" value={d.observed} />
        </Figure>
        <Figure label={t("difference")} tone="warn">
          {d.expected !== null && d.observed !== null ? <Quantity size="xl" value={minus(d.observed, d.expected)} signed /> : "–"}
        </Figure>
      </Figures>
      <Columns ratio="minmax(0, 1.6fr) minmax(320px, 1fr)">
        <Stack>
          <Panel title={t("books_side")} flush>
            {d.item_id || d.place_id ? <Books itemId={d.item_id ?? undefined} placeId={d.place_id ?? undefined} /> : null}
          </Panel>
        </Stack>
        <Stack>
          <Panel title={t("reality_side")}>
            <Evidence value={d.evidence} />
          </Panel>
          <Panel title={t("about")}>
            <Facts
              facts={[
                d.item_id !== null && d.sku !== null && [t("common:field.item"), <ItemLink key="i" id={d.item_id} sku={d.sku} name={d.item_name} />],
                d.lot_code !== null && [t("common:field.lot"), <span key="l" className="mono">{d.lot_code}</span>],
                [t("common:field.place"), <PlaceLink key="p" id={d.place_id} code={d.place_code} />],
                [t("raised_by"), <Actor key="a" actor={d.raised_by} />],
                [t("chain"), <Link key="c" to={`/movements?correlation_id=${encodeURIComponent(d.correlation_id)}`}>{t("same_chain")}</Link>],
                d.count_task_state !== null && [t("count"), <Link key="t" to="/discrepancies?tab=counts&count=all"><State value={d.count_task_state} group="discrepancies:count_state" /></Link>],
                d.resolved_at !== null && [t("resolved"), <Time key="r" at={d.resolved_at} age />],
                d.resolved_by !== null && [t("resolved_by"), <Actor key="b" actor={d.resolved_by} />],
                d.resolution !== null && [t("resolution"), d.resolution],
              ]}
            />
          </Panel>
        </Stack>
      </Columns>
    </>
  );
}

function Books({ itemId, placeId }: { itemId: string | undefined; placeId: string | undefined }) {
  const { t } = useTranslation(["discrepancies", "common"]);
  const balances = useList(balancesQuery({ item_id: itemId, place_id: placeId }));
  const movements = useList(movementsQuery({ item_id: itemId, place_id: placeId }, 10));
  return (
    <>
      {balances.data && balances.data.length > 0 && <Balances rows={balances.data} withItem={!itemId} slim />}
      <div style={{ borderTop: "1px solid var(--line)" }}>
        <MovementTable list={movements} withItem={!itemId} emptyNext={t("never_there")} />
      </div>
    </>
  );
}
