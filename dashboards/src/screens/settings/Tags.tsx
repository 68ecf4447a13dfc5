// EPCs: what each stands for, commissioning new ones, replacing broken ones, and claiming those nobody registered.
import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { Code, EpcText } from "@/components/Code";
import { FormDialog, orNull, text, type Field, type Values } from "@/components/CommandForm";
import { Confirm } from "@/components/Confirm";
import { DataTable, type Column } from "@/components/DataTable";
import { Choice, SearchFilter, useFilter } from "@/components/filters";
import { ItemLink } from "@/components/MovementTable";
import { Page, Panel } from "@/components/Page";
import { State, type Tone } from "@/components/State";
import { ScreenTabs } from "@/components/tabs";
import { Age, Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { commission, decommission, retag, tagsQuery, type Tag } from "@/data/labels";
import { useList } from "@/data/queries";
import { claimTag, unknownTagsQuery, type UnknownTag } from "@/data/receiving";
import { sentence, words } from "@/i18n/sentences";

export default function Tags() {
  const { t } = useTranslation(["settings", "common"]);
  return (
    <Page title={t("chapter.tags")} lead={t("tag.lead")}>
      <ScreenTabs
        tabs={[
          { value: "known", label: t("tag.known"), content: () => <Known /> },
          { value: "unknown", label: t("tag.unknown"), content: () => <Unknown /> },
        ]}
      />
    </Page>
  );
}

function useMeaningFields(): Field[] {
  const { t } = useTranslation(["settings", "common"]);
  return [
    { name: "sku", label: t("tag.item"), hint: t("tag.item_hint"), half: true },
    { name: "plate", label: t("common:field.license_plate"), hint: t("tag.plate_hint"), half: true },
    { name: "lot", label: t("common:field.lot"), half: true },
    { name: "expires_on", label: t("common:field.expiry"), kind: "date", half: true },
    { name: "serial", label: t("common:field.serial"), half: true },
  ];
}

const meaning = (values: Values) => ({ license_plate: orNull(values["plate"]), lot: orNull(values["lot"]), expires_on: orNull(values["expires_on"]), serial: orNull(values["serial"]) });

function Known() {
  const { t } = useTranslation(["settings", "common"]);
  const may = useMay();
  const fields = useMeaningFields();
  const [epc] = useFilter("epc");
  const [state] = useFilter("state", "active");
  const [adding, setAdding] = useState(false);
  const [replacing, setReplacing] = useState<Tag | null>(null);
  const list = useList(tagsQuery({ epc: epc.toUpperCase() || undefined, state: state === "all" ? undefined : (state as "active") }));
  const create = useCommand(commission, { changes: ["stock"] });
  const replace = useCommand(retag, { changes: ["stock"] });
  const drop = useCommand(decommission, { changes: ["stock"] });
  const columns: Column<Tag>[] = [
    { key: "epc", header: t("common:evidence.epc"), cell: (tag) => <EpcText epc={tag.epc} /> },
    { key: "means", header: t("tag.stands_for"), grow: true, cell: (tag) =>
      tag.item_id && tag.sku ? <><ItemLink id={tag.item_id} sku={tag.sku} />{tag.units !== "1" && <span className="soft"> × {tag.units}</span>}</> : <Code value={tag.license_plate} to={tag.license_plate ? `/units/${tag.license_plate}` : undefined} keep={24} /> },
    { key: "lot", header: t("common:field.lot"), cell: (tag) => <span className="mono">{tag.lot ?? "–"}</span> },
    { key: "serial", header: t("common:field.serial"), cell: (tag) => <span className="mono">{tag.serial ?? "–"}</span> },
    { key: "origin", header: t("tag.origin"), cell: (tag) => t(`tag.from.${tag.origin}`) },
    { key: "when", header: t("tag.commissioned"), cell: (tag) => <Time at={tag.commissioned_at} /> },
    { key: "who", header: t("common:field.who"), cell: (tag) => <Actor actor={tag.commissioned_by} /> },
    { key: "state", header: t("common:field.state"), cell: (tag) => <State value={tag.state} /> },
    ...(may("lead", "integrator", "worker")
      ? [{ key: "act", header: "", align: "right" as const, cell: (tag: Tag) => tag.state === "active" && (
          <span className="nowrap">
            <Button size="compact-xs" variant="subtle" onClick={() => setReplacing(tag)}>{t("tag.retag")}</Button>
            <Confirm size="compact-xs" variant="subtle" color="gray" onConfirm={() => drop.mutate(tag.epc)}>{t("tag.decommission")}</Confirm>
          </span>
        ) }]
      : []),
  ];
  return (
    <>
      <div style={{ display: "flex", gap: 10 }}>
        <Choice name="state" fallback="active" options={[{ value: "active", label: t("common:state.active") }, { value: "replaced", label: t("common:state.replaced") }, { value: "decommissioned", label: t("common:state.decommissioned") }, { value: "all", label: t("common:action.all") }]} />
        <SearchFilter name="epc" placeholder={t("tag.search")} />
        <Button ml="auto" onClick={() => setAdding(true)}>{t("tag.commission")}</Button>
      </div>
      {drop.error && <ErrorState error={drop.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("tag.none")} next={t("tag.none_next")} />}>
          {(rows) => <DataTable label={t("chapter.tags")} rows={rows} columns={columns} rowKey={(tag) => tag.id} more={list.more} />}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("tag.commission")}
        opened={adding}
        onClose={() => setAdding(false)}
        command={create}
        fields={[{ name: "epc", label: t("common:evidence.epc"), hint: t("tag.epc_hint"), required: true }, ...fields]}
        toInput={(values) => ({ epc: text(values["epc"]), code: orNull(values["sku"]), ...meaning(values) })}
        submit={t("tag.commission")}
        done={t("common:action.saved")}
      />
      {replacing && (
        <FormDialog
          key={replacing.id}
          title={t("tag.retag")}
          opened
          onClose={() => setReplacing(null)}
          command={replace}
          before={<span className="soft">{t("tag.retag_lead")}</span>}
          fields={[{ name: "new_epc", label: t("tag.new_epc"), required: true }]}
          toInput={(values) => ({ epc: replacing.epc, new_epc: text(values["new_epc"]) })}
          submit={t("tag.retag")}
          done={t("common:action.saved")}
        />
      )}
    </>
  );
}

const UNKNOWN_TONE: Record<UnknownTag["state"], Tone> = { open: "warn", claimed: "ok", dismissed: "off" };

function Unknown() {
  const { t } = useTranslation(["settings", "common"]);
  const fields = useMeaningFields();
  const [state] = useFilter("unknown", "open");
  const [claiming, setClaiming] = useState<UnknownTag | null>(null);
  const list = useList(unknownTagsQuery(state as "open"));
  const claim = useCommand(claimTag, { changes: ["receipts", "stock"] });
  const columns: Column<UnknownTag>[] = [
    { key: "epc", header: t("common:evidence.epc"), cell: (tag) => <Code value={tag.epc} keep={26} /> },
    { key: "meaning", header: t("tag.looks_like"), grow: true, cell: (tag) => <span title={sentence(tag.reason)}>{words(tag.meaning)}</span> },
    { key: "place", header: t("common:field.place"), cell: (tag) => <span className="mono">{tag.place ?? "–"}</span> },
    { key: "receipt", header: t("common:kind.receipt"), cell: (tag) => (tag.receipt_id && tag.receipt ? <Link className="quiet-link" to={`/receipts/${tag.receipt_id}`}>{tag.receipt}</Link> : <span className="soft">–</span>) },
    { key: "reads", header: t("common:evidence.reads"), align: "right", cell: (tag) => tag.reads },
    { key: "seen", header: t("common:evidence.last_seen"), cell: (tag) => <Age at={tag.last_seen_at} /> },
    { key: "state", header: t("common:field.state"), cell: (tag) => <State value={tag.state} group="settings:tag.state" tone={UNKNOWN_TONE[tag.state]} /> },
    { key: "act", header: "", align: "right", cell: (tag) => tag.state === "open" && (
      <span className="nowrap">
        <Confirm size="compact-xs" variant="subtle" color="gray" onConfirm={() => claim.mutate({ epc: tag.epc, dismiss: true, receive: false })}>{t("tag.dismiss")}</Confirm>
        <Button size="compact-xs" variant="light" onClick={() => setClaiming(tag)}>{t("tag.claim")}</Button>
      </span>
    ) },
  ];
  return (
    <>
      <Choice name="unknown" fallback="open" options={(["open", "claimed", "dismissed"] as const).map((value) => ({ value, label: t(`tag.state.${value}`) }))} />
      {claim.error && !claiming && <ErrorState error={claim.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState tone="ok" title={t("tag.no_unknown")} next={t("tag.no_unknown_next")} />}>
          {(rows) => <DataTable label={t("tag.unknown")} rows={rows} columns={columns} rowKey={(tag) => tag.epc} more={list.more} />}
        </LiveView>
      </Panel>
      {claiming && (
        <FormDialog
          key={claiming.epc}
          title={t("tag.claim")}
          opened
          onClose={() => setClaiming(null)}
          command={claim}
          before={<span className="mono">{claiming.epc}</span>}
          fields={[...fields, ...(claiming.receipt_id ? ([{ name: "receive", label: t("tag.receive", { receipt: claiming.receipt ?? "" }), kind: "check", initial: true }] satisfies Field[]) : [])]}
          toInput={(values) => ({ epc: claiming.epc, sku: orNull(values["sku"]), dismiss: false, receive: values["receive"] === true, ...meaning(values) })}
          submit={t("tag.claim")}
          done={t("common:action.saved")}
        />
      )}
    </>
  );
}
