// Suppliers and customers, and what each supplier's items cost.
import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { FormDialog, orNull, text } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Choice, SearchFilter, useFilter } from "@/components/filters";
import { Page, Panel } from "@/components/Page";
import { EmptyState, LiveView } from "@/components/views";
import { createPartner, itemsQuery, partnersQuery, putSupplierItem, type NewPartner, type NewSupplierItem, type Partner } from "@/data/catalog";
import { useList } from "@/data/queries";

export default function Partners() {
  const { t } = useTranslation(["settings", "common"]);
  const queries = useQueryClient();
  const [q] = useFilter("q");
  const [role] = useFilter("role", "all");
  const [adding, setAdding] = useState(false);
  const [pricing, setPricing] = useState<Partner | null>(null);
  const partners = useList(partnersQuery({ q, role: role === "all" ? undefined : (role as "supplier") }));
  const create = useCommand(createPartner, { onDone: () => void queries.invalidateQueries({ queryKey: ["partners"] }) });
  const columns: Column<Partner>[] = [
    { key: "code", header: t("common:field.code"), cell: (partner) => <span className="mono">{partner.code}</span> },
    { key: "name", header: t("common:field.name"), grow: true, cell: (partner) => partner.name },
    { key: "role", header: t("partner.role"), cell: (partner) => [partner.is_supplier && t("partner.supplier"), partner.is_customer && t("partner.customer")].filter(Boolean).join(", ") },
    { key: "gln", header: t("partner.gln"), cell: (partner) => <span className="mono">{partner.gln ?? "–"}</span> },
    { key: "email", header: t("common:field.email"), cell: (partner) => partner.email ?? "–" },
    { key: "price", header: "", align: "right", cell: (partner) => partner.is_supplier && (
      <Button size="compact-xs" variant="subtle" onClick={() => setPricing(partner)}>
        {t("partner.add_price")}
      </Button>
    ) },
  ];
  return (
    <Page
      title={t("chapter.partners")}
      actions={<Button onClick={() => setAdding(true)}>{t("partner.add")}</Button>}
      toolbar={
        <>
          <SearchFilter placeholder={t("partner.search")} />
          <Choice name="role" fallback="all" options={[{ value: "all", label: t("common:action.all") }, { value: "supplier", label: t("partner.supplier") }, { value: "customer", label: t("partner.customer") }]} />
        </>
      }
    >
      <Panel flush>
        <LiveView query={partners} empty={(rows) => rows.length === 0 && <EmptyState title={t("partner.none")} next={t("partner.none_next")} action={{ label: t("chapter.imports"), to: "/settings/imports" }} />}>
          {(rows) => <DataTable label={t("chapter.partners")} rows={rows} columns={columns} rowKey={(partner) => partner.id} more={partners.more} />}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("partner.add")}
        opened={adding}
        onClose={() => setAdding(false)}
        command={create}
        fields={[
          { name: "code", label: t("common:field.code"), required: true, half: true },
          { name: "name", label: t("common:field.name"), required: true, half: true },
          { name: "is_supplier", label: t("partner.supplier"), kind: "check", half: true },
          { name: "is_customer", label: t("partner.customer"), kind: "check", half: true },
          { name: "gln", label: t("partner.gln"), half: true },
          { name: "email", label: t("common:field.email"), half: true },
          { name: "address", label: t("common:field.address"), kind: "textarea" },
        ]}
        toInput={(values): NewPartner => ({
          code: text(values["code"]), name: text(values["name"]), is_supplier: values["is_supplier"] === true, is_customer: values["is_customer"] === true,
          gln: orNull(values["gln"]), email: orNull(values["email"]), address: orNull(values["address"]),
        })}
        submit={t("common:action.create")}
        done={t("common:action.saved")}
      />
      {pricing && <PriceDialog supplier={pricing} onClose={() => setPricing(null)} />}
    </Page>
  );
}

function PriceDialog({ supplier, onClose }: { supplier: Partner; onClose: () => void }) {
  const { t } = useTranslation(["settings", "common"]);
  const queries = useQueryClient();
  const items = useList(itemsQuery(""));
  const put = useCommand(putSupplierItem, { onDone: () => void queries.invalidateQueries({ queryKey: ["supplier-items"] }) });
  return (
    <FormDialog
      title={`${supplier.name}: ${t("partner.add_price")}`}
      opened
      onClose={onClose}
      command={put}
      fields={[
        { name: "item_id", label: t("common:field.item"), kind: "select", required: true, options: (items.data ?? []).map((item) => ({ value: item.id, label: `${item.sku} ${item.name}` })) },
        { name: "supplier_sku", label: t("partner.supplier_sku"), half: true },
        { name: "unit_price", label: t("partner.unit_price"), kind: "quantity", required: true, half: true },
        { name: "currency", label: t("partner.currency"), required: true, initial: "EUR", half: true },
        { name: "lead_time_d", label: t("partner.lead_time"), kind: "quantity", required: true, initial: "7", half: true },
        { name: "min_order_qty", label: t("partner.min_order"), kind: "quantity", required: true, initial: "1", half: true },
        { name: "pack_multiple", label: t("partner.pack_multiple"), kind: "quantity", required: true, initial: "1", half: true },
        { name: "preferred", label: t("partner.preferred"), kind: "check" },
      ]}
      toInput={(values): NewSupplierItem => ({
        supplier_id: supplier.id, item_id: text(values["item_id"]), supplier_sku: orNull(values["supplier_sku"]), unit_price: text(values["unit_price"]), currency: text(values["currency"]),
        lead_time_d: Number(text(values["lead_time_d"])), min_order_qty: text(values["min_order_qty"]), pack_multiple: text(values["pack_multiple"]), preferred: values["preferred"] === true,
      })}
      submit={t("common:action.save")}
      done={t("common:action.saved")}
    />
  );
}
