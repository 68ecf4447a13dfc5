// Labels that were printed, printing one more, the ZPL itself, and the printers.
import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { FormDialog, orNull, text } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Choice, useFilter } from "@/components/filters";
import { Page, Panel } from "@/components/Page";
import { State, type Tone } from "@/components/State";
import { Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { labelsQuery, printersQuery, printLabel, putPrinter, reprint, zplQuery, type Label, type LabelKind, type PrintRequest } from "@/data/labels";
import { useList } from "@/data/queries";
import { sentence, words } from "@/i18n/sentences";
import classes from "./Settings.module.css";

const KINDS: LabelKind[] = ["sscc", "item", "location", "packing_list"];
const TONE: Record<Label["state"], Tone> = { waiting: "wait", printed: "ok", failed: "bad", no_printer: "warn" };

export default function Labels() {
  const { t } = useTranslation(["settings", "common"]);
  const queries = useQueryClient();
  const [state] = useFilter("state", "all");
  const [printing, setPrinting] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  const labels = useList(labelsQuery(state === "all" ? undefined : (state as Label["state"])));
  const printers = useQuery(printersQuery);
  const again = () => void queries.invalidateQueries({ queryKey: ["labels"] });
  const print = useCommand(printLabel, { onDone: again });
  const another = useCommand(reprint, {
    onDone: () => {
      again();
      notifications.show({ message: t("label.sent"), color: "teal" });
    },
  });
  const columns: Column<Label>[] = [
    { key: "kind", header: t("common:field.kind"), cell: (label) => t(`label.kind.${label.kind}`) },
    { key: "title", header: t("label.what"), grow: true, cell: (label) => <strong style={{ fontWeight: 560 }}>{words(label.title)}</strong> },
    { key: "printer", header: t("label.printer"), cell: (label) => label.printer ?? <span className="soft">–</span> },
    { key: "copies", header: t("label.copies"), align: "right", cell: (label) => label.copies },
    { key: "printed", header: t("label.printed"), cell: (label) => <Time at={label.printed_at} age /> },
    { key: "who", header: t("common:field.who"), cell: (label) => <Actor actor={label.created_by} /> },
    { key: "state", header: t("common:field.state"), cell: (label) => <span title={sentence(label.problem) ?? undefined}><State value={label.state} group="settings:label.state" tone={TONE[label.state]} /></span> },
    { key: "again", header: "", align: "right", cell: (label) => (
      <Button size="compact-xs" variant="light" loading={another.isPending && another.variables === label.id} onClick={() => another.mutate(label.id)}>
        {t("label.reprint")}
      </Button>
    ) },
  ];
  return (
    <Page
      title={t("chapter.labels")}
      lead={t("label.lead")}
      actions={<Button onClick={() => setPrinting(true)}>{t("label.print")}</Button>}
      toolbar={<Choice name="state" fallback="all" options={[{ value: "all", label: t("common:action.all") }, ...(["waiting", "printed", "failed", "no_printer"] as const).map((value) => ({ value, label: t(`label.state.${value}`) }))]} />}
    >
      {another.error && <ErrorState error={another.error} compact />}
      <Panel flush>
        <LiveView query={labels} empty={(rows) => rows.length === 0 && <EmptyState title={t("label.none")} next={t("label.none_next")} />}>
          {(rows) => (
            <DataTable label={t("chapter.labels")} rows={rows} columns={columns} rowKey={(label) => label.id} more={labels.more} onOpen={(label) => setOpen(open === label.id ? null : label.id)}
              expanded={(label) => (label.id === open ? <Zpl label={label} /> : undefined)} />
          )}
        </LiveView>
      </Panel>
      <Printers />
      <FormDialog
        title={t("label.print")}
        opened={printing}
        onClose={() => setPrinting(false)}
        command={print}
        fields={[
          { name: "kind", label: t("common:field.kind"), kind: "select", required: true, initial: "location", half: true, options: KINDS.map((value) => ({ value, label: t(`label.kind.${value}`) })) },
          { name: "code", label: t("label.code"), hint: t("label.code_hint"), required: true, half: true },
          { name: "copies", label: t("label.copies"), kind: "quantity", required: true, initial: "1", half: true },
          { name: "printer", label: t("label.printer"), hint: t("label.printer_hint"), kind: "select", half: true, options: (printers.data?.items ?? []).map((printer) => ({ value: printer.code, label: printer.code })) },
          { name: "lot", label: t("common:field.lot"), half: true },
        ]}
        toInput={(values): PrintRequest => ({ kind: text(values["kind"]) as LabelKind, code: text(values["code"]), copies: Number(text(values["copies"]) || "1"), lot: orNull(values["lot"]), printer: orNull(values["printer"]) })}
        submit={t("label.print")}
        done={t("label.sent")}
      />
    </Page>
  );
}

function Zpl({ label }: { label: Label }) {
  const { t } = useTranslation(["settings", "common"]);
  const zpl = useQuery(zplQuery(label.id));
  return (
    <LiveView query={zpl}>
      {(code) => (
        <div className={classes.secret}>
          {label.problem && <span>{label.problem}</span>}
          <pre className={classes.zpl}>{code}</pre>
          <Button component="a" size="xs" variant="default" href={`data:text/plain;charset=utf-8,${encodeURIComponent(code)}`} download={`${label.title.replace(/\W+/g, "-")}.zpl`}>
            {t("common:action.download")}
          </Button>
        </div>
      )}
    </LiveView>
  );
}

function Printers() {
  const { t } = useTranslation(["settings", "common"]);
  const may = useMay();
  const queries = useQueryClient();
  const [adding, setAdding] = useState(false);
  const printers = useQuery(printersQuery);
  const put = useCommand(putPrinter, { onDone: () => void queries.invalidateQueries({ queryKey: ["printers"] }) });
  return (
    <Panel title={t("label.printers")} flush actions={may("admin") && <Button size="xs" variant="light" onClick={() => setAdding(true)}>{t("label.add_printer")}</Button>}>
      <LiveView query={printers} empty={(page) => page.items.length === 0 && <EmptyState title={t("label.no_printers")} next={t("label.no_printers_next")} />}>
        {(page) => (
          <DataTable
            label={t("label.printers")}
            rows={page.items}
            rowKey={(printer) => printer.code}
            columns={[
              { key: "code", header: t("common:field.code"), cell: (printer) => <strong style={{ fontWeight: 560 }}>{printer.code}</strong> },
              { key: "kind", header: t("common:field.kind"), cell: (printer) => t(`label.printer_kind.${printer.kind}`) },
              { key: "target", header: t("common:field.address"), grow: true, cell: (printer) => <span className="mono">{printer.target}</span> },
              { key: "default", header: t("label.default"), cell: (printer) => (printer.is_default ? t("label.yes") : "–") },
              { key: "state", header: t("common:field.state"), cell: (printer) => <State value={printer.active === false ? "inactive" : "active"} /> },
            ]}
          />
        )}
      </LiveView>
      <FormDialog
        title={t("label.add_printer")}
        opened={adding}
        onClose={() => setAdding(false)}
        command={put}
        fields={[
          { name: "code", label: t("common:field.code"), required: true, half: true },
          { name: "kind", label: t("common:field.kind"), kind: "select", required: true, initial: "raw_tcp", half: true, options: (["raw_tcp", "folder"] as const).map((value) => ({ value, label: t(`label.printer_kind.${value}`) })) },
          { name: "target", label: t("common:field.address"), hint: t("label.target_hint"), required: true },
          { name: "is_default", label: t("label.default"), kind: "check" },
        ]}
        toInput={(values) => ({ code: text(values["code"]), kind: text(values["kind"]) as "folder", target: text(values["target"]), is_default: values["is_default"] === true, active: true })}
        submit={t("common:action.save")}
        done={t("common:action.saved")}
      />
    </Panel>
  );
}
