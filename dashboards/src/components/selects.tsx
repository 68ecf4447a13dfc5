// Choosing one of many that the backend finds while a person types: an item, a customer.
import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { itemQuery, itemsQuery, partnersQuery, useItemName } from "@/data/catalog";
import { useList } from "@/data/queries";
import type { Drawn } from "./CommandForm";

interface Option {
  value: string;
  label: string;
}

interface SelectProps {
  input: Drawn["input"];
  value: string;
  onChange: (id: string) => void;
}

/** What is typed, and what of it is asked for: nothing while it is only the name of what is chosen. */
function useTyped(chosen: string | undefined): { typed: string; type: (text: string) => void; q: string } {
  const [typed, type] = useState("");
  const [q] = useDebouncedValue(typed.trim(), 200);
  return { typed, type, q: q === chosen ? "" : q };
}

function FoundSelect({ input, value, onChange, typed, type, found, waits }: SelectProps & { typed: string; type: (text: string) => void; found: Option[]; waits: boolean }) {
  const { t } = useTranslation();
  return (
    <Select
      {...input} searchable selectFirstOptionOnChange data={found} filter={({ options }) => options} value={value || null} onChange={(id) => onChange(id ?? "")}
      searchValue={typed} onSearchChange={type} nothingFoundMessage={waits ? t("live.loading") : t("search.none_found")} maxDropdownHeight={280}
    />
  );
}

export function ItemSelect(props: SelectProps) {
  const name = useItemName();
  const present = useQuery({ ...itemQuery(props.value), enabled: props.value !== "" }).data;
  const label = (item: { sku: string; name: string; name_i18n?: Record<string, string> }) => `${item.sku}  ${name(item)}`;
  const { typed, type, q } = useTyped(present && label(present).trim());
  const list = useList(itemsQuery(q));
  const shown = (list.data ?? []).filter((item) => item.active);
  const all = present && !shown.some((item) => item.id === present.id) ? [present, ...shown] : shown;
  return <FoundSelect {...props} typed={typed} type={type} waits={list.isPending} found={all.map((item) => ({ value: item.id, label: label(item) }))} />;
}

export function CustomerSelect(props: SelectProps) {
  const [chosen, setChosen] = useState<Option>();
  const { typed, type, q } = useTyped(chosen?.label);
  const list = useList(partnersQuery({ role: "customer", q }));
  const shown = (list.data ?? []).map((partner) => ({ value: partner.id, label: partner.name === partner.code ? partner.code : `${partner.code}  ${partner.name}` }));
  const all = chosen && props.value === chosen.value && !shown.some((one) => one.value === chosen.value) ? [chosen, ...shown] : shown;
  const choose = (id: string) => {
    setChosen(all.find((one) => one.value === id));
    props.onChange(id);
  };
  return <FoundSelect {...props} onChange={choose} typed={typed} type={type} waits={list.isPending} found={all} />;
}

/** The units an item is counted in: its base unit, and its packs by name. */
export function UnitSelect({ itemId, ...props }: SelectProps & { itemId: string }) {
  const { i18n, t } = useTranslation();
  const item = useQuery({ ...itemQuery(itemId), enabled: itemId !== "" }).data;
  const word = (unit: string) => (i18n.exists(`unit.${unit}`) ? t(`unit.${unit}` as "unit.each") : unit);
  const packs = (item?.packs ?? []).filter((pack) => pack.name !== item?.base_unit);
  const data = item ? [{ value: "", label: word(item.base_unit) }, ...packs.map((pack) => ({ value: pack.name, label: `${word(pack.name)} (${pack.units} ${word(item.base_unit)})` }))] : [];
  return <Select {...props.input} allowDeselect={false} disabled={data.length < 2} data={data} value={item ? props.value : null} onChange={(name) => props.onChange(name ?? "")} />;
}
