// What is in an open carton, and taking something out again: it goes onto the bench, still promised to the order.
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { Confirm } from "@/components/Confirm";
import { DataTable } from "@/components/DataTable";
import { ItemLink } from "@/components/MovementTable";
import { Quantity } from "@/components/Quantity";
import { ErrorState } from "@/components/views";
import { unpack, type Carton, type Content } from "@/data/shipping";

const keyOf = (one: Content) => [one.line_id, one.lot_code, one.serial].join("|");

export function Contents({ carton }: { carton: Carton }) {
  const { t } = useTranslation(["orders", "common"]);
  const out = useCommand(unpack, { changes: ["orders", "tasks", "stock", "movements"] });
  const takeOut = (one: Content) =>
    out.mutate({ id: carton.id, item_id: one.item_id, quantity: one.quantity, lot: one.lot_code, serial: one.serial });
  return (
    <>
      <DataTable
        label={t("in_carton", { sscc: carton.sscc })}
        rows={carton.contents}
        rowKey={keyOf}
        columns={[
          { key: "item", header: t("common:field.item"), grow: true, cell: (one) => <ItemLink id={one.item_id} sku={one.sku} name={one.item_name} /> },
          { key: "lot", header: t("common:field.lot"), cell: (one) => <span className="mono">{one.lot_code ?? one.serial ?? "–"}</span> },
          { key: "quantity", header: t("common:field.quantity"), align: "right", cell: (one) => <Quantity value={one.quantity} unit={one.unit} /> },
          { key: "out", header: "", align: "right", cell: (one) => (
            <Confirm size="compact-xs" variant="subtle" color="gray" loading={out.isPending && out.variables.item_id === one.item_id} onConfirm={() => takeOut(one)}>
              {t("take_out")}
            </Confirm>
          ) },
        ]}
      />
      {out.error && <ErrorState error={out.error} compact />}
    </>
  );
}
