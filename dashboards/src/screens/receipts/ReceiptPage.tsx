// One receipt: expected against received, over and short, which plates came, what nobody knows, and what the portal saw.
import { Button, Modal, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { useCommand } from "@/api/command";
import { Actor } from "@/components/Actor";
import { Code, EpcText } from "@/components/Code";
import { DataTable, type Column } from "@/components/DataTable";
import { Facts, Figure, Figures, Timeline } from "@/components/facts";
import { ItemLink, MovementTable, PlaceLink } from "@/components/MovementTable";
import { isZero } from "@/components/numbers";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { Day, Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { useList } from "@/data/queries";
import { closeReceipt, receiptQuery, type Receipt, type ReceiptLine } from "@/data/receiving";
import { movementsQuery } from "@/data/stock";
import { Difference, Progress } from "./Receipts";

export default function ReceiptPage() {
  const { t } = useTranslation(["receipts", "common"]);
  const { receiptId = "" } = useParams();
  const receipt = useQuery(receiptQuery(receiptId));
  const [closing, setClosing] = useState(false);
  const known = receipt.data;
  return (
    <Page
      name={known?.number}
      title={known ? <>{known.number} <State value={known.state} /></> : "…"}
      crumbs={[{ label: t("title"), to: "/receipts" }]}
      lead={known && [known.supplier?.code, known.dock_door.code].filter(Boolean).join(" · ")}
      actions={known?.state === "open" && <Button onClick={() => setClosing(true)}>{t("close")}</Button>}
    >
      <LiveView query={receipt}>{(r) => <Details receipt={r} />}</LiveView>
      {closing && known && <CloseDialog receipt={known} onClose={() => setClosing(false)} />}
    </Page>
  );
}

function Details({ receipt }: { receipt: Receipt }) {
  const { t } = useTranslation(["receipts", "common"]);
  const word = useWord();
  const movements = useList(movementsQuery({ cause_kind: "receipt", cause_id: receipt.id }, 20));
  const lines: Column<ReceiptLine>[] = [
    { key: "item", header: t("common:field.item"), grow: true, cell: (line) => <ItemLink id={line.item_id} sku={line.sku} name={line.name} /> },
    { key: "lot", header: t("common:field.lot"), cell: (line) => <span className="mono">{line.lot ?? "–"}</span> },
    { key: "expiry", header: t("common:field.expiry"), cell: (line) => <Day on={line.expires_on} near={30} /> },
    { key: "progress", header: t("received_of"), width: 220, cell: (line) => <Progress receipt={line} /> },
    { key: "short", header: t("common:state.short"), align: "right", cell: (line) => <Difference value={line.short} sign="−" /> },
    { key: "over", header: t("common:state.over"), align: "right", cell: (line) => <Difference value={line.over} sign="+" /> },
    { key: "damaged", header: t("common:state.damaged"), align: "right", cell: (line) => <Quantity value={line.damaged} /> },
    { key: "reason", header: t("common:field.reason"), cell: (line) => line.short_reason ?? line.over_reason ?? <span className="soft">–</span> },
    { key: "state", header: t("common:field.state"), cell: (line) => <LineState line={line} open={receipt.state === "open"} /> },
  ];
  return (
    <>
      <Figures>
        <Figure label={t("common:state.expected")} to={receipt.asn ? `/asns/${receipt.asn.id}` : undefined}>
          <Quantity size="xl" value={receipt.expected} />
        </Figure>
        <Figure label={t("common:state.received")} to={`/movements?cause_id=${receipt.id}`}>
          <Quantity size="xl" value={receipt.received} />
        </Figure>
        <Figure label={t("common:state.short")} tone={isZero(receipt.short) ? "ok" : receipt.state === "open" ? "busy" : "warn"}>
          <Quantity size="xl" value={receipt.short} />
        </Figure>
        <Figure label={t("common:state.over")} tone={isZero(receipt.over) ? "ok" : "warn"}>
          <Quantity size="xl" value={receipt.over} />
        </Figure>
        <Figure label={t("common:state.damaged")} tone={isZero(receipt.damaged) ? "ok" : "warn"}>
          <Quantity size="xl" value={receipt.damaged} />
        </Figure>
      </Figures>
      <Panel title={t("common:field.lines")} flush>
        {receipt.lines.length === 0 ? (
          <EmptyState title={t("nothing_yet")} next={t("nothing_yet_next")} />
        ) : (
          <DataTable label={t("common:field.lines")} rows={receipt.lines} columns={lines} rowKey={(line) => line.id} tone={(line) => (!isZero(line.over) || (receipt.state === "closed" && !isZero(line.short)) ? "warn" : undefined)} />
        )}
      </Panel>
      <Columns ratio="minmax(0, 2fr) minmax(320px, 1fr)">
        <Stack>
          {receipt.plates.length > 0 && (
            <Panel title={t("plates")} flush>
              <DataTable
                label={t("plates")}
                rows={receipt.plates}
                rowKey={(plate) => plate.license_plate_id}
                rowTo={(plate) => `/units/${encodeURIComponent(plate.code)}`}
                columns={[
                  { key: "code", header: t("common:field.license_plate"), cell: (plate) => <Code value={plate.code} to={`/units/${encodeURIComponent(plate.code)}`} keep={24} /> },
                  { key: "kind", header: t("common:field.kind"), cell: (plate) => word("unit", plate.kind) },
                  { key: "inside", header: t("inside"), grow: true, cell: (plate) => <span className="mono soft">{plate.inside ?? "–"}</span> },
                  { key: "units", header: t("common:field.quantity"), align: "right", cell: (plate) => <Quantity value={plate.units} unit="units" /> },
                  { key: "state", header: t("common:field.state"), cell: (plate) => <State value={plate.state} /> },
                ]}
              />
            </Panel>
          )}
          <Panel title={t("movements")} flush>
            <MovementTable list={movements} />
          </Panel>
        </Stack>
        <Stack>
          <Panel title={t("about")}>
            <Facts
              facts={[
                [t("notice"), receipt.asn ? <Link key="n" to={`/asns/${receipt.asn.id}`}>{receipt.asn.code}</Link> : t("without")],
                [t("common:field.door"), <PlaceLink key="d" id={receipt.dock_door.id} code={receipt.dock_door.code} />],
                [t("origin"), word("receipts:from", receipt.origin)],
                [t("opened"), <Time key="o" at={receipt.opened_at} age />],
                [t("opened_by"), <Actor key="b" actor={receipt.opened_by} />],
                [t("last_activity"), <Time key="l" at={receipt.last_activity_at} age />],
                receipt.closed_at !== null && [t("closed"), <Time key="c" at={receipt.closed_at} />],
                receipt.closed_by !== null && [t("closed_by"), <Actor key="cb" actor={receipt.closed_by} />],
              ]}
            />
          </Panel>
          {receipt.unknown_tags.length > 0 && (
            <Panel title={t("unknown_tags")} actions={<Link to="/settings/tags">{t("claim")}</Link>}>
              <Facts facts={receipt.unknown_tags.map((tag) => [tag.meaning, <span key={tag.epc}><EpcText epc={tag.epc} /> <span className="soft">× {tag.reads}</span></span>])} />
            </Panel>
          )}
          {receipt.passages.length > 0 && (
            <Panel title={t("passages")}>
              <Timeline
                moments={receipt.passages.map((passage) => ({
                  key: passage.passage_id,
                  tone: passage.direction.startsWith("in") ? ("ok" as const) : ("warn" as const),
                  when: <Time at={passage.at} />,
                  title: t("passage", { door: passage.door, direction: word("receipts:direction", passage.direction) }),
                  detail: [...Object.entries(passage.outcomes).map(([outcome, n]) => `${word("receipts:outcome", outcome)} ${String(n)}`), t("reads", { n: passage.reads })].join(" · "),
                }))}
              />
            </Panel>
          )}
        </Stack>
      </Columns>
    </>
  );
}

function LineState({ line, open }: { line: ReceiptLine; open: boolean }) {
  if (!isZero(line.over)) return <State value="over" />;
  if (!isZero(line.short)) return <State value={open ? (isZero(line.received) ? "expected" : "receiving") : "short"} />;
  return <State value="received" />;
}

function CloseDialog({ receipt, onClose }: { receipt: Receipt; onClose: () => void }) {
  const { t } = useTranslation(["receipts", "common"]);
  const short = receipt.lines.filter((line) => !isZero(line.short));
  const [reasons, setReasons] = useState<Record<string, string>>({});
  const close = useCommand(closeReceipt, { changes: ["receipts", "tasks", "discrepancies", "stock"], onDone: onClose });
  return (
    <Modal opened onClose={onClose} title={t("close")} size="lg" radius="lg" centered styles={{ title: { fontWeight: 640 } }}>
      <Stack>
        <p style={{ margin: 0 }}>{short.length > 0 ? t("close_short", { count: short.length }) : t("close_good")}</p>
        {short.map((line) => (
          <TextInput
            key={line.id}
            label={t("short_line", { sku: line.sku, short: line.short, expected: line.expected })}
            placeholder={t("short_reason")}
            value={reasons[line.id] ?? ""}
            onChange={(event) => setReasons({ ...reasons, [line.id]: event.currentTarget.value })}
          />
        ))}
        {close.error && <ErrorState error={close.error} compact />}
        <div style={{ display: "flex", justifyContent: "flex-end", gap: 8 }}>
          <Button variant="default" onClick={onClose}>
            {t("common:action.cancel")}
          </Button>
          <Button
            loading={close.isPending}
            onClick={() =>
              close.mutate({ id: receipt.id, short_reasons: Object.entries(reasons).filter(([, reason]) => reason.trim()).map(([line_id, reason]) => ({ line_id, reason: reason.trim() })) })
            }
          >
            {t("close")}
          </Button>
        </div>
      </Stack>
    </Modal>
  );
}
