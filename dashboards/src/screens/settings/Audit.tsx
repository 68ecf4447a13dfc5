// Who changed which setting, and what it was before.
import { useTranslation } from "react-i18next";
import { Actor } from "@/components/Actor";
import { DataTable, type Column } from "@/components/DataTable";
import { Page, Panel } from "@/components/Page";
import { useWord } from "@/components/State";
import { Time } from "@/components/Time";
import { EmptyState, LiveView } from "@/components/views";
import { auditQuery, type AuditEntry } from "@/data/people";
import { useList } from "@/data/queries";

export default function Audit() {
  const { t } = useTranslation(["settings", "common"]);
  const word = useWord();
  const entries = useList(auditQuery({}));
  const columns: Column<AuditEntry>[] = [
    { key: "when", header: t("common:field.when"), cell: (entry) => <Time at={entry.at} age /> },
    { key: "who", header: t("common:field.who"), cell: (entry) => <Actor actor={entry.actor} /> },
    { key: "what", header: t("audit.what"), cell: (entry) => `${word("settings:audit.action", entry.action)} ${word("settings:audit.table", entry.table_name)}` },
    { key: "name", header: t("common:field.name"), cell: (entry) => <strong style={{ fontWeight: 560 }}>{nameOf(entry)}</strong> },
    { key: "change", header: t("audit.change"), grow: true, cell: (entry) => <span className="mono">{differences(entry)}</span> },
  ];
  return (
    <Page title={t("chapter.audit")} lead={t("audit.lead")}>
      <Panel flush>
        <LiveView query={entries} empty={(rows) => rows.length === 0 && <EmptyState title={t("audit.none")} />}>
          {(rows) => <DataTable label={t("chapter.audit")} rows={rows} columns={columns} rowKey={(entry) => String(entry.id)} more={entries.more} />}
        </LiveView>
      </Panel>
    </Page>
  );
}

function nameOf({ after, before, subject }: AuditEntry): string {
  const row = after ?? before ?? {};
  for (const key of ["code", "sku", "username", "name"]) {
    const value = row[key];
    if (typeof value === "string") return value;
  }
  return subject.slice(0, 8);
}

function differences({ before, after }: AuditEntry): string {
  if (!before || !after) return "";
  return Object.keys(after)
    .filter((key) => key !== "version" && JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .map((key) => `${key}: ${JSON.stringify(before[key])} → ${JSON.stringify(after[key])}`)
    .join("; ");
}
