// By which keys other systems know our items, partners, places and sites.
import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { FormDialog, text } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Choice, SearchFilter, useFilter } from "@/components/filters";
import { ItemLink, PlaceLink } from "@/components/MovementTable";
import { Panel } from "@/components/Page";
import { useWord } from "@/components/State";
import { EmptyState, LiveView } from "@/components/views";
import { externalKeysQuery, KEY_KINDS, setExternalKey, type ExternalKey, type KeyKind } from "@/data/catalog";
import { useList } from "@/data/queries";
import classes from "./Outbox.module.css";

export function Keys() {
  const { t } = useTranslation(["outbox", "common"]);
  const word = useWord();
  const may = useMay();
  const [kind] = useFilter("kind", "all");
  const [system] = useFilter("system");
  const [editing, setEditing] = useState<ExternalKey | "new" | null>(null);
  const list = useList(externalKeysQuery({ system, kind: kind === "all" ? undefined : (kind as KeyKind) }));
  const set = useCommand(setExternalKey, { changes: ["postings"] });
  const known = editing === "new" ? null : editing;
  const columns: Column<ExternalKey>[] = [
    { key: "system", header: t("common:field.system"), cell: (k) => <span className="mono">{k.system}</span> },
    { key: "kind", header: t("common:field.kind"), cell: (k) => word("kind", k.kind) },
    { key: "ours", header: t("keys.ours"), grow: true, cell: (k) => <Ours of={k} /> },
    { key: "theirs", header: t("keys.theirs"), cell: (k) => <span className="mono">{k.their_key}</span> },
    ...(may("integrator")
      ? [{ key: "change", header: "", align: "right" as const, cell: (k: ExternalKey) => (
          <Button size="compact-xs" variant="subtle" onClick={() => setEditing(k)}>
            {t("common:action.edit")}
          </Button>
        ) }]
      : []),
  ];
  return (
    <>
      <div className={classes.bar}>
        <div className={classes.buttons}>
          <Choice name="kind" fallback="all" options={[{ value: "all", label: t("common:action.all") }, ...KEY_KINDS.map((value) => ({ value, label: word("kind", value) }))]} />
          <SearchFilter name="system" placeholder={t("keys.system")} width={220} />
        </div>
        {may("integrator") && <Button onClick={() => setEditing("new")}>{t("keys.add")}</Button>}
      </div>
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("keys.none")} next={t("keys.none_next")} />}>
          {(rows) => <DataTable label={t("tab.keys")} rows={rows} columns={columns} rowKey={(k) => `${k.system} ${k.kind} ${k.our_id}`} more={list.more} />}
        </LiveView>
      </Panel>
      {editing && (
        <FormDialog
          title={known ? `${known.system}: ${known.our_code}` : t("keys.add")}
          opened
          onClose={() => setEditing(null)}
          command={set}
          fields={[
            ...(known
              ? []
              : [
                  { name: "system", label: t("common:field.system"), hint: t("keys.system_hint"), required: true, half: true, initial: system },
                  { name: "kind", label: t("common:field.kind"), hint: t("keys.kind_hint"), kind: "select" as const, required: true, half: true, initial: kind === "all" ? "item" : kind, options: KEY_KINDS.map((value) => ({ value, label: word("kind", value) })) },
                  { name: "our_code", label: t("keys.ours"), hint: t("keys.ours_hint"), required: true, half: true },
                ]),
            { name: "their_key", label: t("keys.theirs"), hint: t("keys.theirs_hint"), required: true, half: true, initial: known?.their_key ?? "" },
          ]}
          toInput={(values) => {
            const their_key = text(values["their_key"]);
            return known
              ? { system: known.system, kind: known.kind, our_id: known.our_id, their_key }
              : { system: text(values["system"]), kind: text(values["kind"]) as KeyKind, our_code: text(values["our_code"]), their_key };
          }}
          submit={t("common:action.save")}
          done={t("common:action.saved")}
        />
      )}
    </>
  );
}

function Ours({ of: { kind, our_id, our_code, our_name } }: { of: ExternalKey }) {
  if (kind === "item") return <ItemLink id={our_id} sku={our_code} name={our_name} />;
  return (
    <>
      {kind === "place" ? <PlaceLink id={our_id} code={our_code} /> : <span className="mono">{our_code || our_id}</span>}
      {our_name && our_name !== our_code && <span className="soft"> {our_name}</span>}
    </>
  );
}
