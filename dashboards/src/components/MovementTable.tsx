// Movements as rows: when, what, how many, from where to where, why and by whom; each opens its evidence.
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { addressOf } from "@/app/addresses";
import type { Listed } from "@/data/queries";
import type { Movement } from "@/data/stock";
import { Actor } from "./Actor";
import { DataTable, type Column } from "./DataTable";
import { Quantity } from "./Quantity";
import { State, useWord } from "./State";
import { Time } from "./Time";
import { EmptyState, LiveView } from "./views";

export function MovementTable({ list, withItem = true, emptyNext }: { list: Listed<Movement>; withItem?: boolean; emptyNext?: string }) {
  const { t } = useTranslation();
  const word = useWord();
  const columns: Column<Movement>[] = [
    { key: "when", header: t("field.when"), cell: (m) => <Time at={m.occurred_at} age /> },
    ...(withItem
      ? [{ key: "item", header: t("field.item"), grow: true, cell: (m: Movement) => <ItemLink id={m.item_id} sku={m.sku} name={m.item_name} /> }]
      : []),
    { key: "lot", header: t("field.lot"), cell: (m) => (m.lot_code || m.serial ? <span className="mono">{[m.lot_code, m.serial].filter(Boolean).join(" · ")}</span> : <span className="soft">–</span>) },
    { key: "quantity", header: t("field.quantity"), align: "right", cell: (m) => <Quantity value={m.quantity} unit={m.unit} /> },
    { key: "from", header: t("field.from"), cell: (m) => <Spot id={m.from_place_id} code={m.from_place} plate={m.from_license_plate} status={m.from_status} /> },
    { key: "to", header: t("field.to"), cell: (m) => <Spot id={m.to_place_id} code={m.to_place} plate={m.to_license_plate} status={m.to_status} /> },
    { key: "cause", header: t("field.cause"), cell: (m) => <Cause kind={m.cause_kind} id={m.cause_id} word={word("cause", m.cause_kind)} /> },
    { key: "who", header: t("field.who"), cell: (m) => <Actor actor={m.actor} /> },
  ];
  return (
    <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("movement.none")} next={emptyNext ?? t("movement.none_next")} />}>
      {(rows) => (
        <DataTable
          label={t("movement.list")}
          rows={rows}
          columns={columns}
          rowKey={(m) => m.id}
          rowTo={(m) => `/movements/${m.id}`}
          tone={(m) => (m.reversed_by_id || m.reverses_id ? "warn" : undefined)}
          more={list.more}
        />
      )}
    </LiveView>
  );
}

export function ItemLink({ id, sku, name }: { id: string; sku: string; name?: string | null }) {
  return (
    <Link to={`/items/${id}`} className="quiet-link" onClick={(event) => event.stopPropagation()}>
      <span style={{ fontWeight: 560 }}>{sku}</span>
      {name && <span className="soft"> {name}</span>}
    </Link>
  );
}

export function PlaceLink({ id, code }: { id: string | null | undefined; code: string | null | undefined }) {
  if (!code) return <span className="soft">–</span>;
  if (!id) return <span className="mono">{code}</span>;
  return (
    <Link to={`/places/${id}`} className="quiet-link mono" onClick={(event) => event.stopPropagation()}>
      {code}
    </Link>
  );
}

export function Spot({ id, code, plate, status }: { id: string; code: string; plate?: string | null; status?: string }) {
  return (
    <span className="nowrap">
      <PlaceLink id={id} code={code} />
      {plate && (
        <Link to={`/units/${encodeURIComponent(plate)}`} className="quiet-link mono soft" title={plate} onClick={(event) => event.stopPropagation()}>
          {" "}
          …{plate.slice(-6)}
        </Link>
      )}
      {status && status !== "available" && (
        <>
          {" "}
          <State value={status} />
        </>
      )}
    </span>
  );
}

export function Cause({ kind, id, word }: { kind: string; id: string | null; word: string }) {
  const to = addressOf(kind, id);
  if (!to) return <span>{word}</span>;
  return (
    <Link to={to} className="quiet-link" onClick={(event) => event.stopPropagation()}>
      {word}
    </Link>
  );
}
