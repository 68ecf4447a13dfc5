// The items: how they are called, counted, kept and packed.
import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { Code } from "@/components/Code";
import { FormDialog, orNull, text, type Field } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { SearchFilter, useFilter } from "@/components/filters";
import { ItemLink } from "@/components/MovementTable";
import { Page, Panel } from "@/components/Page";
import { State, useWord } from "@/components/State";
import { EmptyState, LiveView } from "@/components/views";
import { changeItem, createItem, createPack, itemsQuery, useItemName, type Item, type NewItem } from "@/data/catalog";
import { useList } from "@/data/queries";

const CLASSES = ["ambient", "chilled", "frozen", "hazard"] as const;

export default function Items() {
  const { t } = useTranslation(["settings", "common"]);
  const word = useWord();
  const nameOf = useItemName();
  const queries = useQueryClient();
  const [q] = useFilter("q");
  const [editing, setEditing] = useState<Item | null>(null);
  const [packing, setPacking] = useState<Item | null>(null);
  const [adding, setAdding] = useState(false);
  const items = useList(itemsQuery(q));
  const again = () => void queries.invalidateQueries({ queryKey: ["items"] });
  const create = useCommand(createItem, { onDone: again });
  const change = useCommand(changeItem, { onDone: again });
  const pack = useCommand(createPack, { onDone: again });

  const columns: Column<Item>[] = [
    { key: "sku", header: t("common:field.sku"), cell: (item) => <ItemLink id={item.id} sku={item.sku} /> },
    { key: "name", header: t("common:field.name"), grow: true, cell: nameOf },
    { key: "unit", header: t("common:field.unit"), cell: (item) => word("unit", item.base_unit) },
    { key: "tracking", header: t("item.tracking"), cell: (item) => word("tracking", item.tracking) },
    { key: "class", header: t("place.storage"), cell: (item) => word("storage", item.storage_class) },
    { key: "packs", header: t("item.packs"), cell: (item) => <span className="soft">{item.packs.map((one) => (one.units === "1" ? word("unit", one.name) : `${word("unit", one.name)} × ${one.units}`)).join(", ")}</span> },
    { key: "gtin", header: t("common:field.gtin"), cell: (item) => <Code value={item.packs.find((one) => one.gtin)?.gtin} /> },
    { key: "active", header: t("common:field.state"), cell: (item) => <State value={item.active ? "active" : "inactive"} /> },
    { key: "pack", header: "", align: "right", cell: (item) => (
      <Button size="compact-xs" variant="subtle" onClick={() => setPacking(item)}>
        {t("item.add_pack")}
      </Button>
    ) },
  ];
  const shared = (item: Item | null): Field[] => [
    { name: "name", label: t("common:field.name"), required: true, half: true, initial: item?.name },
    { name: "name_zh", label: t("item.name_zh"), half: true, initial: item?.name_i18n["zh"] ?? "" },
    { name: "storage_class", label: t("place.storage"), kind: "select", required: true, half: true, initial: item?.storage_class ?? "ambient", options: CLASSES.map((value) => ({ value, label: word("storage", value) })) },
    { name: "weight_g", label: t("item.weight_g"), kind: "quantity", half: true, initial: item?.weight_g ?? "" },
    { name: "has_expiry", label: t("item.has_expiry"), kind: "check", half: true, initial: item?.has_expiry ?? false },
    { name: "active", label: t("place.active"), kind: "check", half: true, initial: item?.active ?? true },
  ];
  return (
    <Page title={t("chapter.items")} lead={t("item.lead")} actions={<Button onClick={() => setAdding(true)}>{t("item.add")}</Button>} toolbar={<SearchFilter placeholder={t("item.search")} />}>
      <Panel flush>
        <LiveView query={items} empty={(rows) => rows.length === 0 && <EmptyState title={t("item.none")} next={t("item.none_next")} action={{ label: t("chapter.imports"), to: "/settings/imports" }} />}>
          {(rows) => <DataTable label={t("chapter.items")} rows={rows} columns={columns} rowKey={(item) => item.id} onOpen={setEditing} more={items.more} />}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("item.add")}
        opened={adding}
        onClose={() => setAdding(false)}
        command={create}
        fields={[
          { name: "sku", label: t("common:field.sku"), required: true, half: true },
          { name: "gtin", label: t("common:field.gtin"), hint: t("item.gtin_hint"), half: true },
          { name: "base_unit", label: t("common:field.unit"), required: true, initial: "each", half: true },
          { name: "tracking", label: t("item.tracking"), kind: "select", required: true, initial: "none", half: true, options: (["none", "lot", "serial"] as const).map((value) => ({ value, label: word("tracking", value) })) },
          ...shared(null),
        ]}
        toInput={(values): NewItem => ({
          sku: text(values["sku"]), gtin: orNull(values["gtin"]), base_unit: text(values["base_unit"]), tracking: text(values["tracking"]) as NewItem["tracking"],
          quantity_decimals: 0, packs: [], name: text(values["name"]), name_i18n: orNull(values["name_zh"]) ? { zh: text(values["name_zh"]) } : {},
          storage_class: text(values["storage_class"]) as "ambient", weight_g: orNull(values["weight_g"]), has_expiry: values["has_expiry"] === true, active: values["active"] === true,
        })}
        submit={t("common:action.create")}
        done={t("common:action.saved")}
      />
      {editing && (
        <FormDialog
          key={editing.id}
          title={editing.sku}
          opened
          onClose={() => setEditing(null)}
          command={change}
          fields={shared(editing)}
          toInput={(values) => ({
            id: editing.id, version: editing.version, name: text(values["name"]), name_i18n: { ...editing.name_i18n, ...(orNull(values["name_zh"]) ? { zh: text(values["name_zh"]) } : {}) },
            storage_class: text(values["storage_class"]) as "ambient", weight_g: orNull(values["weight_g"]), has_expiry: values["has_expiry"] === true, active: values["active"] === true,
          })}
          submit={t("common:action.save")}
          done={t("common:action.saved")}
        />
      )}
      {packing && (
        <FormDialog
          key={`pack-${packing.id}`}
          title={`${packing.sku}: ${t("item.add_pack")}`}
          opened
          onClose={() => setPacking(null)}
          command={pack}
          fields={[
            { name: "name", label: t("common:field.name"), hint: t("item.pack_hint"), required: true, half: true, initial: "case" },
            { name: "units", label: t("item.pack_units"), kind: "quantity", required: true, half: true },
            { name: "gtin", label: t("common:field.gtin"), half: true },
            { name: "weight_g", label: t("item.weight_g"), kind: "quantity", half: true },
          ]}
          toInput={(values) => ({ id: packing.id, name: text(values["name"]), units: text(values["units"]), gtin: orNull(values["gtin"]), weight_g: orNull(values["weight_g"]) })}
          submit={t("common:action.create")}
          done={t("common:action.saved")}
        />
      )}
    </Page>
  );
}
