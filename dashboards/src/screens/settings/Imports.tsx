// Files in, in three steps: what, try it, import it. A file is imported as a whole or not at all.
import { Button, FileButton, Select } from "@mantine/core";
import { IconFileTypeCsv } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { Actor } from "@/components/Actor";
import { DataTable } from "@/components/DataTable";
import { Figure, Figures } from "@/components/facts";
import { useFilter } from "@/components/filters";
import { Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { importFile, importKindsQuery, importRunsQuery, stampOf, type ImportError, type ImportKind } from "@/data/imports";
import { useList } from "@/data/queries";
import { sentence } from "@/i18n/sentences";
import classes from "./Settings.module.css";

export default function Imports() {
  const { t } = useTranslation(["settings", "common"]);
  const kinds = useQuery(importKindsQuery);
  const [chosen, choose] = useFilter("kind", "items");
  return (
    <Page title={t("chapter.imports")} lead={t("import.lead")}>
      <LiveView query={kinds}>
        {(page) => {
          const kind = page.items.find((one) => one.kind === chosen) ?? page.items[0];
          return (
            <>
              <Select
                w={320}
                label={t("import.kind")}
                allowDeselect={false}
                data={page.items.map((one) => ({ value: one.kind, label: t(`import.of.${one.kind}` as "import.of.items", { defaultValue: one.kind }) }))}
                value={kind?.kind ?? null}
                onChange={choose}
              />
              {kind && <Import key={kind.kind} kind={kind} />}
            </>
          );
        }}
      </LiveView>
      <Runs />
    </Page>
  );
}

function Import({ kind }: { kind: ImportKind }) {
  const { t } = useTranslation(["settings", "common"]);
  const queries = useQueryClient();
  const [file, setFile] = useState<File | null>(null);
  const attempt = useCommand(importFile);
  const send = useCommand(importFile, {
    changes: ["stock", "receipts", "floor", "movements"],
    onDone: () => {
      void queries.invalidateQueries();
    },
  });
  const pick = (picked: File | null) => {
    if (!picked) return;
    setFile(picked);
    send.reset();
    attempt.mutate({ kind: kind.kind, file: picked, dryRun: true, stamp: stampOf(picked) });
  };
  const report = send.data ?? attempt.data;
  const errors = (send.error?.body.errors as ImportError[] | undefined) ?? report?.errors ?? [];
  const failed = attempt.error ?? (send.error && errors.length === 0 ? send.error : null);
  return (
    <>
      <div className={classes.steps}>
        <FileButton onChange={pick} accept=".csv,text/csv,text/plain">
          {(props) => (
            <Button {...props} variant={file ? "default" : "filled"} leftSection={<IconFileTypeCsv size={17} stroke={1.6} />} loading={attempt.isPending}>
              {t("import.choose")}
            </Button>
          )}
        </FileButton>
        {file && <span className="mono">{file.name}</span>}
        {file && report && errors.length === 0 && !send.data && (
          <Button loading={send.isPending} onClick={() => send.mutate({ kind: kind.kind, file, dryRun: false, stamp: stampOf(file) })}>
            {t("import.now", { count: report.rows })}
          </Button>
        )}
      </div>
      {failed && <ErrorState error={failed} compact />}
      {report && (
        <Figures>
          <Figure label={t("import.rows")}><Quantity size="lg" value={report.rows} /></Figure>
          <Figure label={t(send.data ? "import.created" : "import.would_create")} tone="ok"><Quantity size="lg" value={report.created} /></Figure>
          <Figure label={t(send.data ? "import.updated" : "import.would_update")} tone="busy"><Quantity size="lg" value={report.updated} /></Figure>
          <Figure label={t("import.errors")} tone={report.errors_count > 0 ? "bad" : "ok"} note={report.errors_count > 0 ? t("import.nothing_written") : send.data ? t("import.done") : t("import.ready")}>
            <Quantity size="lg" value={report.errors_count} />
          </Figure>
        </Figures>
      )}
      {errors.length > 0 && (
        <Panel title={t("import.errors")} flush>
          <DataTable
            label={t("import.errors")}
            rows={errors}
            rowKey={(error) => `${error.row}|${error.column ?? ""}|${error.detail}`}
            tone={() => "bad"}
            columns={[
              { key: "row", header: t("import.row"), align: "right", cell: (error) => error.row },
              { key: "column", header: t("import.column"), cell: (error) => <span className="mono">{error.column ?? "–"}</span> },
              { key: "value", header: t("import.value"), cell: (error) => <span className="mono">{error.value || "–"}</span> },
              { key: "detail", header: t("import.problem"), wrap: true, cell: (error) => sentence(error.detail) },
            ]}
          />
        </Panel>
      )}
      <Panel title={t("import.columns")} actions={
        <Button component="a" size="xs" variant="default" href={`data:text/csv;charset=utf-8,${encodeURIComponent(`${kind.header}\n`)}`} download={`${kind.kind}.csv`}>
          {t("import.empty_file")}
        </Button>
      } flush>
        <p style={{ margin: 0, padding: "10px 16px" }} className="soft">{kind.about}</p>
        <DataTable
          label={t("import.columns")}
          rows={kind.columns}
          rowKey={(column) => column.name}
          columns={[
            { key: "name", header: t("import.column"), cell: (column) => <span className="mono">{column.name}{column.required ? " *" : ""}</span> },
            { key: "doc", header: t("import.meaning"), grow: true, cell: (column) => <span title={column.doc}>{column.doc}</span> },
          ]}
        />
      </Panel>
    </>
  );
}

function Runs() {
  const { t } = useTranslation(["settings", "common"]);
  const runs = useList(importRunsQuery);
  return (
    <Panel title={t("import.runs")} flush>
      <LiveView query={runs} empty={(rows) => rows.length === 0 && <EmptyState title={t("import.no_runs")} next={t("import.no_runs_next")} />}>
        {(rows) => (
          <DataTable
            label={t("import.runs")}
            rows={rows}
            rowKey={(run) => run.id}
            more={runs.more}
            columns={[
              { key: "when", header: t("common:field.when"), cell: (run) => <Time at={run.imported_at} age /> },
              { key: "kind", header: t("common:field.kind"), cell: (run) => t(`import.of.${run.kind}` as "import.of.items", { defaultValue: run.kind }) },
              { key: "file", header: t("import.file"), grow: true, cell: (run) => <span className="mono">{run.file_name}</span> },
              { key: "rows", header: t("import.rows"), align: "right", cell: (run) => run.rows },
              { key: "created", header: t("import.created"), align: "right", cell: (run) => run.created },
              { key: "updated", header: t("import.updated"), align: "right", cell: (run) => run.updated },
              { key: "who", header: t("common:field.who"), cell: (run) => <Actor actor={run.imported_by} /> },
            ]}
          />
        )}
      </LiveView>
    </Panel>
  );
}
