// Totes, pallets and other license plates: the house's own things that goods stand on. Here the first ones are made.
import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { Code } from "@/components/Code";
import { FormDialog, orNull, text } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Choice, SearchFilter, useFilter } from "@/components/filters";
import { PlaceLink } from "@/components/MovementTable";
import { Page, Panel } from "@/components/Page";
import { State } from "@/components/State";
import { Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { capital } from "@/components/words";
import { createPlates, PLATE_KINDS, platesQuery, printPlate, type NewPlates, type Plate, type PlateKind } from "@/data/plates";
import { useList } from "@/data/queries";

export default function Plates() {
  const { t } = useTranslation(["settings", "common"]);
  const queries = useQueryClient();
  const [q] = useFilter("q");
  const [kind] = useFilter("kind", "all");
  const [show] = useFilter("show", "here");
  const [adding, setAdding] = useState(false);
  const plates = useList(platesQuery({ q, kind: kind === "all" ? undefined : (kind as PlateKind), show: show as "here" }));
  const changed = () => {
    void queries.invalidateQueries({ queryKey: ["license-plates"] });
    void queries.invalidateQueries({ queryKey: ["labels"] });
  };
  const say = (done: string | undefined, waits: boolean) => notifications.show(waits ? { title: done, message: t("plate.no_printer"), color: "yellow" } : { message: done, color: "teal" });
  const create = useCommand(createPlates, {
    onDone: ({ plates: made, labels }) => {
      changed();
      const [first, last] = [made[0]?.code ?? "", made.at(-1)?.code ?? ""];
      say(made.length === 1 ? t("plate.made_one", { code: first }) : t("plate.made_many", { count: made.length, first, last }), labels === "no_printer");
    },
  });
  const print = useCommand(printPlate, {
    onDone: (label) => {
      changed();
      say(label.state === "no_printer" ? undefined : t("label.sent"), label.state === "no_printer");
    },
  });
  const columns: Column<Plate>[] = [
    { key: "code", header: t("common:field.code"), cell: (plate) => <Code value={plate.code} to={`/units/${encodeURIComponent(plate.code)}`} keep={24} /> },
    { key: "kind", header: t("common:field.kind"), cell: (plate) => t(`plate.kind.${plate.kind}`) },
    { key: "holds", header: t("plate.holds"), grow: true, cell: (plate) => (plate.skus.length > 0 ? <span title={plate.skus.join(", ")}>{plate.skus.join(", ")}</span> : <span className="soft">{t("plate.empty")}</span>) },
    { key: "place", header: t("common:field.place"), cell: (plate) => <PlaceLink id={plate.place_id} code={plate.place} /> },
    { key: "inside", header: t("plate.on"), cell: (plate) => <Code value={plate.inside} to={plate.inside ? `/units/${encodeURIComponent(plate.inside)}` : undefined} keep={20} /> },
    { key: "state", header: t("common:field.state"), cell: (plate) => <State value={plate.state} tone={plate.state === "open" || plate.state === "closed" ? "ok" : "wait"} group="settings:plate.state" /> },
    { key: "created", header: t("common:field.created"), cell: (plate) => <Time at={plate.created_at} /> },
    { key: "print", header: "", align: "right", cell: (plate) => (
      <Button size="compact-xs" variant="light" loading={print.isPending && print.variables === plate.id} onClick={() => print.mutate(plate.id)}>
        {t("label.print")}
      </Button>
    ) },
  ];
  const add = { label: t("plate.add"), onClick: () => setAdding(true) };
  return (
    <Page
      title={t("chapter.plates")}
      lead={t("plate.lead")}
      actions={<Button onClick={add.onClick}>{add.label}</Button>}
      toolbar={
        <>
          <SearchFilter placeholder={t("plate.search")} width={250} />
          <Choice name="kind" fallback="all" options={[{ value: "all", label: t("common:action.all") }, ...PLATE_KINDS.map((value) => ({ value, label: t(`plate.kind.${value}`) }))]} />
          <Choice name="show" fallback="here" options={(["here", "empty", "all"] as const).map((value) => ({ value, label: t(`plate.show.${value}`) }))} />
        </>
      }
    >
      {print.error && <ErrorState error={print.error} compact />}
      <Panel flush>
        <LiveView query={plates} empty={(rows) => rows.length === 0 && <EmptyState title={t("plate.none")} next={t("plate.none_next")} action={add} />}>
          {(rows) => <DataTable label={t("chapter.plates")} rows={rows} columns={columns} rowKey={(plate) => plate.id} rowTo={(plate) => `/units/${encodeURIComponent(plate.code)}`} more={plates.more} />}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("plate.add")}
        opened={adding}
        onClose={() => setAdding(false)}
        command={create}
        fields={[
          { name: "kind", label: t("common:field.kind"), kind: "select", required: true, half: true, initial: "tote", options: PLATE_KINDS.map((value) => ({ value, label: capital(t(`plate.kind.${value}`)) })) },
          { name: "count", label: t("plate.count"), kind: "quantity", required: true, half: true, initial: "1" },
          { name: "code", label: t("plate.first_code"), hint: t("plate.first_code_hint") },
          { name: "place", label: t("common:field.place"), hint: t("plate.place_hint") },
          { name: "print_labels", label: t("plate.print_labels"), kind: "check", initial: true },
        ]}
        toInput={(values): NewPlates => ({ kind: text(values["kind"]) as PlateKind, count: Number(text(values["count"])), code: orNull(values["code"]), place: orNull(values["place"]), print_labels: values["print_labels"] === true })}
        submit={t("common:action.create")}
      />
    </Page>
  );
}
