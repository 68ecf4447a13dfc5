// A delivery notice: what the supplier says is on the truck, and what of it has come.
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { useCommand } from "@/api/command";
import { Code } from "@/components/Code";
import { Confirm } from "@/components/Confirm";
import { DataTable } from "@/components/DataTable";
import { Facts } from "@/components/facts";
import { ItemLink, PlaceLink } from "@/components/MovementTable";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { State, useWord } from "@/components/State";
import { Day, Time } from "@/components/Time";
import { ErrorState, LiveView } from "@/components/views";
import { asnQuery, cancelAsn, type Asn } from "@/data/receiving";
import { Progress } from "./Receipts";

export default function AsnPage() {
  const { t } = useTranslation(["receipts", "common"]);
  const { asnId = "" } = useParams();
  const asn = useQuery(asnQuery(asnId));
  const cancel = useCommand(cancelAsn, { changes: ["receipts"] });
  const known = asn.data;
  return (
    <Page
      name={known?.number}
      title={known ? <>{known.number} <State value={known.state} tone={known.state === "arriving" ? "busy" : undefined} /></> : "…"}
      crumbs={[
        { label: t("title"), to: "/receipts" },
        { label: t("tab.asns"), to: "/receipts?tab=asns" },
      ]}
      lead={known?.supplier?.code}
      actions={
        known?.state === "expected" && (
          <Confirm variant="default" onConfirm={() => cancel.mutate(asnId)} loading={cancel.isPending}>
            {t("cancel_asn")}
          </Confirm>
        )
      }
    >
      {cancel.error && <ErrorState error={cancel.error} compact />}
      <LiveView query={asn}>{(a) => <Details asn={a} />}</LiveView>
    </Page>
  );
}

function Details({ asn }: { asn: Asn }) {
  const { t } = useTranslation(["receipts", "common"]);
  const word = useWord();
  return (
    <Columns ratio="minmax(0, 2.2fr) minmax(300px, 1fr)">
      <Stack>
        <Panel title={t("common:field.lines")} flush>
          <DataTable
            label={t("common:field.lines")}
            rows={asn.lines}
            rowKey={(line) => line.id}
            columns={[
              { key: "no", header: "#", align: "right", cell: (line) => line.line_no },
              { key: "item", header: t("common:field.item"), grow: true, cell: (line) => <ItemLink id={line.item_id} sku={line.sku} name={line.name} /> },
              { key: "lot", header: t("common:field.lot"), cell: (line) => <span className="mono">{line.lot ?? t("any_lot")}</span> },
              { key: "expiry", header: t("common:field.expiry"), cell: (line) => <Day on={line.expires_on} near={30} /> },
              { key: "progress", header: t("received_of"), width: 240, cell: (line) => <Progress receipt={{ received: line.received, expected: line.quantity }} /> },
            ]}
          />
        </Panel>
        {asn.plates.length > 0 && (
          <Panel title={t("plates")} flush>
            <DataTable
              label={t("plates")}
              rows={asn.plates}
              rowKey={(plate) => plate.license_plate_id}
              rowTo={(plate) => `/units/${encodeURIComponent(plate.code)}`}
              columns={[
                { key: "code", header: t("common:field.license_plate"), cell: (plate) => <Code value={plate.code} to={`/units/${encodeURIComponent(plate.code)}`} keep={24} /> },
                { key: "kind", header: t("common:field.kind"), cell: (plate) => word("unit", plate.kind) },
                { key: "inside", header: t("inside"), cell: (plate) => <span className="mono soft">{plate.inside ?? "–"}</span> },
                { key: "contents", header: t("contents"), grow: true, cell: (plate) => plate.contents.map((one) => `${one.quantity} × ${one.sku}`).join(", ") || "–" },
                { key: "received", header: t("common:state.received"), cell: (plate) => <Time at={plate.received_at} /> },
              ]}
            />
          </Panel>
        )}
      </Stack>
      <Stack>
        <Panel title={t("about")}>
          <Facts
            facts={[
              [t("common:field.supplier"), asn.supplier?.code ?? "–"],
              [t("common:state.expected"), <Time key="e" at={asn.expected_at} age />],
              [t("common:field.door"), <PlaceLink key="d" id={asn.dock_door?.id} code={asn.dock_door?.code} />],
              [t("source"), asn.source],
              [t("purchase_order"), asn.source_ref ?? "–"],
              [t("tags"), String(asn.tags_count)],
              [t("common:field.created"), <Time key="c" at={asn.created_at} />],
            ]}
          />
        </Panel>
        <Panel title={t("tab.receipts")}>
          {asn.receipts.length === 0 ? <span className="soft">{t("no_receipt_yet")}</span> : <Facts facts={asn.receipts.map((r) => [t("receipt"), <Link key={r.id} to={`/receipts/${r.id}`}>{r.code}</Link>])} />}
        </Panel>
      </Stack>
    </Columns>
  );
}
