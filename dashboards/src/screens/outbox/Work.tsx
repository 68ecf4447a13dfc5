// Background work that failed: what it was for, since when, what its last try said, and trying it again.
import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCommand } from "@/api/command";
import { DataTable, type Column } from "@/components/DataTable";
import { Evidence } from "@/components/Evidence";
import { Choice, useFilter } from "@/components/filters";
import { Panel } from "@/components/Page";
import { State, type Tone } from "@/components/State";
import { Age } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { jobsQuery, retryJob, type Job, type JobChoice } from "@/data/jobs";
import { useList } from "@/data/queries";
import { sentence, words } from "@/i18n/sentences";

const TONE: Record<string, Tone> = { todo: "wait", again: "warn", doing: "busy", succeeded: "ok", failed: "bad", cancelled: "off", aborted: "off" };
const stateOf = (job: Job) => (job.state === "todo" && job.error !== null ? "again" : job.state);

export function Work() {
  const { t } = useTranslation(["outbox", "common"]);
  const [which] = useFilter("work", "failing");
  const [open, setOpen] = useState<number | null>(null);
  const list = useList(jobsQuery(which as JobChoice));
  const retry = useCommand(retryJob, { changes: ["alerts"] });
  const columns: Column<Job>[] = [
    { key: "state", header: t("common:field.state"), cell: (job) => <State value={stateOf(job)} group="outbox:work.state" tone={TONE[stateOf(job)]} /> },
    { key: "what", header: t("work.what"), cell: (job) => <strong style={{ fontWeight: 560 }}>{words(job.what)}</strong> },
    { key: "about", header: t("subject"), cell: (job) => <About args={job.args} /> },
    { key: "error", header: t("work.error"), wrap: true, cell: (job) => (job.error ? sentence(job.error) : <span className="soft">–</span>) },
    { key: "tries", header: t("tries"), align: "right", cell: (job) => job.attempts },
    { key: "since", header: t("work.since"), cell: (job) => <Age at={job.failing_since ?? job.asked_at} /> },
    { key: "next", header: t("next_try"), cell: (job) => (job.state === "todo" && job.scheduled_at ? <Age at={job.scheduled_at} /> : <span className="soft">–</span>) },
    { key: "retry", header: "", align: "right", cell: (job) => job.state === "failed" && (
      <Button size="compact-xs" variant="light" loading={retry.isPending && retry.variables === job.id} onClick={() => retry.mutate(job.id)}>
        {t("retry")}
      </Button>
    ) },
  ];
  return (
    <>
      <Choice name="work" fallback="failing" options={(["failing", "todo", "all"] as const).map((value) => ({ value, label: t(`work.choice.${value}`) }))} />
      {retry.error && <ErrorState error={retry.error} compact />}
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState tone="ok" title={t(which === "failing" ? "work.none_failing" : "work.none")} next={t("work.none_next")} />}>
          {(rows) => (
            <DataTable label={t("tab.work")} rows={rows} columns={columns} rowKey={(job) => String(job.id)} more={list.more} onOpen={(job) => setOpen(open === job.id ? null : job.id)}
              tone={(job) => (job.state === "failed" ? "bad" : undefined)} expanded={(job) => (job.id === open ? <Evidence value={{ job: job.id, work: job.task, ...job.args }} /> : undefined)} />
          )}
        </LiveView>
      </Panel>
    </>
  );
}

/** What it was about, where that has a page. */
function About({ args }: { args: Job["args"] }) {
  const { t } = useTranslation("outbox");
  const { order_id, label_id, item_ids } = args;
  if (typeof order_id === "string") return <Link className="quiet-link" to={`/orders/${order_id}`}>{t("work.order")}</Link>;
  if (typeof label_id === "string") return <Link className="quiet-link" to="/settings/labels">{t("work.label")}</Link>;
  if (Array.isArray(item_ids) && item_ids.length === 1) return <Link className="quiet-link" to={`/items/${String(item_ids[0])}`}>{t("work.items", { count: 1 })}</Link>;
  if (Array.isArray(item_ids)) return t("work.items", { count: item_ids.length });
  return <span className="soft">–</span>;
}
