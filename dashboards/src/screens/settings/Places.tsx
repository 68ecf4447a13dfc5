// The places of the site: what they are, what they may hold, where they stand on the plan.
import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { FormDialog, orNull, text, type Field, type Values } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Choice, SearchFilter, useFilter } from "@/components/filters";
import { PlaceLink } from "@/components/MovementTable";
import { Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { EmptyState, LiveView } from "@/components/views";
import { changePlace, createPlace, placesQuery, type NewPlace, type Place } from "@/data/catalog";
import { useList } from "@/data/queries";

const KINDS = ["building", "zone", "aisle", "bin", "dock_door", "staging", "pack_bench", "vehicle", "quarantine"] as const;
const CLASSES = ["ambient", "chilled", "frozen", "hazard"] as const;

export default function Places() {
  const { t } = useTranslation(["settings", "common"]);
  const word = useWord();
  const [q] = useFilter("q");
  const [kind] = useFilter("kind", "all");
  const [editing, setEditing] = useState<Place | "new" | null>(null);
  const places = useList(placesQuery({ q, kind: kind === "all" ? undefined : kind }));
  const byId = new Map(places.data?.map((place) => [place.id, place.code]));

  const columns: Column<Place>[] = [
    { key: "code", header: t("common:field.code"), cell: (place) => <PlaceLink id={place.id} code={place.code} /> },
    { key: "name", header: t("common:field.name"), grow: true, cell: (place) => place.name },
    { key: "kind", header: t("common:field.kind"), cell: (place) => word("place_kind", place.kind) },
    { key: "parent", header: t("place.inside"), cell: (place) => <span className="mono soft">{place.parent_id ? (byId.get(place.parent_id) ?? "…") : "–"}</span> },
    { key: "class", header: t("place.storage"), cell: (place) => word("storage", place.storage_class) },
    { key: "max", header: t("place.max_units"), align: "right", cell: (place) => <Quantity value={place.max_units} unit="units" /> },
    { key: "erp", header: t("place.erp"), cell: (place) => <span className="mono">{place.erp_location ?? "–"}</span> },
    { key: "active", header: t("common:field.state"), cell: (place) => <State value={place.active ? "active" : "inactive"} /> },
  ];
  return (
    <Page
      title={t("chapter.places")}
      lead={t("place.lead")}
      actions={<Button onClick={() => setEditing("new")}>{t("place.add")}</Button>}
      toolbar={
        <>
          <SearchFilter placeholder={t("place.search")} />
          <Choice name="kind" fallback="all" options={[{ value: "all", label: t("common:action.all") }, ...KINDS.map((value) => ({ value, label: word("place_kind", value) }))]} />
        </>
      }
    >
      <Panel flush>
        <LiveView query={places} empty={(rows) => rows.length === 0 && <EmptyState title={t("place.none")} next={t("place.none_next")} action={{ label: t("place.add"), onClick: () => setEditing("new") }} />}>
          {(rows) => <DataTable label={t("chapter.places")} rows={rows} columns={columns} rowKey={(place) => place.id} onOpen={setEditing} more={places.more} />}
        </LiveView>
      </Panel>
      <PlaceDialog key={editing === null ? "none" : editing === "new" ? "new" : editing.id} editing={editing} places={places.data ?? []} onClose={() => setEditing(null)} />
    </Page>
  );
}

function PlaceDialog({ editing, places, onClose }: { editing: Place | "new" | null; places: Place[]; onClose: () => void }) {
  const { t } = useTranslation(["settings", "common"]);
  const word = useWord();
  const create = useCommand(createPlace, { changes: ["floor"] });
  const change = useCommand(changePlace, { changes: ["floor"] });
  const place = editing === "new" || editing === null ? null : editing;
  const number = (value: number | string | null | undefined) => (value === null || value === undefined ? "" : String(value));
  const fields: Field[] = [
    ...(place
      ? []
      : ([
          { name: "code", label: t("common:field.code"), required: true, half: true },
          { name: "kind", label: t("common:field.kind"), kind: "select", required: true, half: true, initial: "bin", options: KINDS.map((value) => ({ value, label: word("place_kind", value) })) },
        ] satisfies Field[])),
    { name: "name", label: t("common:field.name"), initial: place?.name ?? "", half: true },
    { name: "parent_id", label: t("place.inside"), kind: "select", half: true, initial: place?.parent_id ?? "",
      options: places.filter((one) => one.is_physical && one.id !== place?.id).map((one) => ({ value: one.id, label: one.code })) },
    { name: "storage_class", label: t("place.storage"), kind: "select", required: true, half: true, initial: place?.storage_class ?? "ambient", options: CLASSES.map((value) => ({ value, label: word("storage", value) })) },
    { name: "max_units", label: t("place.max_units"), kind: "quantity", half: true, initial: number(place?.max_units) },
    { name: "pick_sequence", label: t("place.pick_sequence"), kind: "quantity", half: true, initial: number(place?.pick_sequence) },
    { name: "erp_location", label: t("place.erp"), hint: t("place.erp_hint"), half: true, initial: place?.erp_location ?? "" },
    { name: "x_m", label: t("place.x"), kind: "quantity", half: true, initial: number(place?.x_m) },
    { name: "y_m", label: t("place.y"), kind: "quantity", half: true, initial: number(place?.y_m) },
    { name: "width_m", label: t("place.width"), kind: "quantity", half: true, initial: number(place?.width_m) },
    { name: "depth_m", label: t("place.depth"), kind: "quantity", half: true, initial: number(place?.depth_m) },
    { name: "holds_stock", label: t("place.holds_stock"), kind: "check", half: true, initial: place?.holds_stock ?? true },
    { name: "active", label: t("place.active"), kind: "check", half: true, initial: place?.active ?? true },
    { name: "mixed_items", label: t("place.mixed_items"), kind: "check", half: true, initial: place?.mixed_items ?? true },
    { name: "mixed_lots", label: t("place.mixed_lots"), kind: "check", half: true, initial: place?.mixed_lots ?? true },
  ];
  const metres = (value: Values[string] | undefined) => (orNull(value) === null ? null : Number(text(value)));
  const common = (values: Values) => ({
    name: text(values["name"]), parent_id: orNull(values["parent_id"]), storage_class: text(values["storage_class"]) as "ambient",
    max_units: orNull(values["max_units"]), pick_sequence: metres(values["pick_sequence"]), erp_location: orNull(values["erp_location"]),
    x_m: metres(values["x_m"]), y_m: metres(values["y_m"]), width_m: metres(values["width_m"]), depth_m: metres(values["depth_m"]),
    holds_stock: values["holds_stock"] === true, active: values["active"] === true, mixed_items: values["mixed_items"] === true, mixed_lots: values["mixed_lots"] === true,
  });
  if (place) {
    return (
      <FormDialog title={place.code} opened onClose={onClose} fields={fields} command={change} submit={t("common:action.save")} done={t("common:action.saved")}
        toInput={(values) => ({ id: place.id, version: place.version, ...common(values) })} />
    );
  }
  return (
    <FormDialog title={t("place.add")} opened={editing === "new"} onClose={onClose} fields={fields} command={create} submit={t("common:action.create")} done={t("common:action.saved")}
      toInput={(values): NewPlace => ({ code: text(values["code"]), kind: text(values["kind"]) as NewPlace["kind"], ...common(values) })} />
  );
}
