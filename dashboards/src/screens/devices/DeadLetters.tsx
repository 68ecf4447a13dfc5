// Messages that could not be understood: the bytes as they came, the reason, and taking them again or letting them go.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Confirm } from "@/components/Confirm";
import { DataTable, type Column } from "@/components/DataTable";
import { Choice, useFilter } from "@/components/filters";
import { Panel } from "@/components/Page";
import { State, useWord } from "@/components/State";
import { Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { deadLetterQuery, deadLettersQuery, discardLetter, retryLetter, type DeadLetter } from "@/data/devices";
import { useList } from "@/data/queries";
import { sentence } from "@/i18n/sentences";
import { hexDump } from "./hex";
import classes from "./DeadLetters.module.css";

export function DeadLetters() {
  const { t } = useTranslation(["devices", "common"]);
  const word = useWord();
  const [state] = useFilter("letter", "open");
  const [open, setOpen] = useState<string | null>(null);
  const list = useList(deadLettersQuery(state === "all" ? undefined : (state as "open")));
  const columns: Column<DeadLetter>[] = [
    { key: "when", header: t("common:field.when"), cell: (d) => <Time at={d.last_at} age /> },
    { key: "kind", header: t("common:field.kind"), cell: (d) => word("devices:letter", d.kind) },
    { key: "reason", header: t("common:field.reason"), grow: true, cell: (d) => <span title={sentence(d.reason)}>{sentence(d.reason)}</span> },
    { key: "from", header: t("sender"), cell: (d) => <span className="mono">{[d.agent, d.device].filter(Boolean).join(" / ") || d.topic}</span> },
    { key: "times", header: t("times"), align: "right", cell: (d) => d.times },
    { key: "size", header: t("size"), align: "right", cell: (d) => t("bytes", { n: d.size_bytes }) },
    { key: "state", header: t("common:field.state"), cell: (d) => <State value={d.state} group="devices:letter_state" tone={d.state === "open" ? "warn" : "off"} /> },
  ];
  return (
    <>
      <Choice name="letter" fallback="open" options={[{ value: "open", label: t("open") }, { value: "retried", label: t("letter_state.retried") }, { value: "discarded", label: t("letter_state.discarded") }, { value: "all", label: t("common:action.all") }]} />
      <Panel flush>
        <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState tone="ok" title={t("no_letters")} next={t("no_letters_next")} />}>
          {(rows) => (
            <DataTable label={t("tab.dead_letters")} rows={rows} columns={columns} rowKey={(d) => d.id} onOpen={(d) => setOpen(open === d.id ? null : d.id)} expanded={(d) => (d.id === open ? <Bytes letter={d} /> : undefined)} more={list.more} />
          )}
        </LiveView>
      </Panel>
    </>
  );
}

function Bytes({ letter }: { letter: DeadLetter }) {
  const { t } = useTranslation(["devices", "common"]);
  const may = useMay();
  const again = useCommand(retryLetter, { changes: ["devices"] });
  const drop = useCommand(discardLetter, { changes: ["devices"] });
  const cut = letter.payload_hex.length < 2 * letter.size_bytes;
  const [all, setAll] = useState(false);
  const whole = useQuery({ ...deadLetterQuery(letter.id), enabled: cut && all });
  const shown = whole.data ?? letter;
  const failed = again.error ?? drop.error ?? whole.error;
  return (
    <div className={classes.letter}>
      <div className="soft mono">{letter.topic}</div>
      <div className={classes.reason}>{sentence(letter.reason)}</div>
      <div className={classes.bytes}>
        <pre>{shown.payload_text}</pre>
        <pre>{hexDump(shown.payload_hex, whole.data && Infinity)}</pre>
      </div>
      {cut && !whole.data && (
        <Button size="xs" variant="subtle" loading={all && whole.isPending} onClick={() => setAll(true)}>
          {t("all_bytes", { n: letter.size_bytes })}
        </Button>
      )}
      {failed && <ErrorState error={failed} compact />}
      {letter.state === "open" && may("integrator") && (
        <div className={classes.actions}>
          <Confirm size="xs" variant="subtle" color="gray" onConfirm={() => drop.mutate(letter.id)}>
            {t("discard")}
          </Confirm>
          <Button size="xs" loading={again.isPending} onClick={() => again.mutate(letter.id)}>
            {t("take_again")}
          </Button>
        </div>
      )}
    </div>
  );
}
