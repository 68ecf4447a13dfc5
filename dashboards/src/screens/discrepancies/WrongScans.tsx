// What was scanned at picking instead of the right thing: who, when, what was expected. Nothing moved.
import { Button } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Actor } from "@/components/Actor";
import { DataTable, type Column } from "@/components/DataTable";
import { useFilter } from "@/components/filters";
import { ItemLink, PlaceLink } from "@/components/MovementTable";
import { Panel } from "@/components/Page";
import { Time } from "@/components/Time";
import { EmptyState, LiveView } from "@/components/views";
import { pickMismatchesQuery, type PickMismatch } from "@/data/discrepancies";
import { useList } from "@/data/queries";

export function WrongScans() {
  const { t } = useTranslation(["discrepancies", "common"]);
  const [actor, setActor] = useFilter("who");
  const list = useList(pickMismatchesQuery({ actor }));
  const columns: Column<PickMismatch>[] = [
    { key: "when", header: t("common:field.when"), cell: (m) => <Time at={m.at} age /> },
    { key: "who", header: t("common:field.who"), cell: (m) => (
      <Link className="quiet-link" title={t("wrong_scan.only")} to={`/discrepancies?tab=wrong-scans&who=${encodeURIComponent(m.actor)}`}>
        <Actor actor={m.actor} />
      </Link>
    ) },
    { key: "what", header: t("what"), cell: (m) => t(`wrong_scan.what.${m.what}`) },
    { key: "expected", header: t("wrong_scan.expected"), cell: (m) => <span className="mono">{m.expected}</span> },
    { key: "seen", header: t("wrong_scan.seen"), grow: true, cell: (m) => <strong className="mono" style={{ fontWeight: 560 }} title={m.seen}>{m.seen}</strong> },
    { key: "item", header: t("wrong_scan.picked"), cell: (m) => <ItemLink id={m.item_id} sku={m.sku} /> },
    { key: "place", header: t("common:field.place"), cell: (m) => <PlaceLink id={m.place_id} code={m.place_code} /> },
    { key: "order", header: t("common:field.order"), cell: (m) => <Link className="quiet-link" to={`/orders/${m.order_id}`}>{m.order_number}</Link> },
  ];
  return (
    <>
      {actor && (
        <div>
          <Button size="xs" variant="light" rightSection={<IconX size={13} />} onClick={() => setActor(null)}>
            <Actor actor={actor} />
          </Button>
        </div>
      )}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState tone="ok" title={t("wrong_scan.none")} next={t("wrong_scan.none_next")} />}>
          {(rows) => <DataTable label={t("tab.wrong_scans")} rows={rows} columns={columns} rowKey={(m) => m.id} more={list.more} />}
        </LiveView>
      </Panel>
    </>
  );
}
