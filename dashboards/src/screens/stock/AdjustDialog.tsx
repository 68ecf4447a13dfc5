// A lead corrects the books by hand; the reason goes into the ledger for good.
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { FormDialog, orNull, text, type Field } from "@/components/CommandForm";
import { adjustStock, type Adjustment } from "@/data/stock";

export function AdjustDialog({ opened, onClose, item, place }: { opened: boolean; onClose: () => void; item?: string; place?: string }) {
  const { t } = useTranslation(["stock", "common"]);
  const command = useCommand(adjustStock, { changes: ["stock", "movements", "floor"] });
  const fields: Field[] = [
    { name: "item", label: t("common:field.item"), hint: t("item_hint"), required: true, initial: item, half: true },
    { name: "place", label: t("common:field.place"), hint: t("place_hint"), required: true, initial: place, half: true },
    { name: "change", label: t("change"), hint: t("change_hint"), kind: "quantity", required: true, half: true },
    { name: "status", label: t("common:field.status"), hint: t("status_hint"), kind: "select", required: true, initial: "available", half: true,
      options: (["available", "damaged", "quarantine"] as const).map((value) => ({ value, label: t(`common:state.${value}`) })) },
    { name: "lot", label: t("common:field.lot"), half: true },
    { name: "expires_on", label: t("common:field.expiry"), kind: "date", half: true },
    { name: "serial", label: t("common:field.serial") },
    { name: "reason", label: t("common:field.reason"), hint: t("reason_hint"), required: true },
  ];
  return (
    <FormDialog
      title={t("adjust")}
      opened={opened}
      onClose={onClose}
      fields={fields}
      command={command}
      submit={t("adjust_submit")}
      done={t("adjusted")}
      toInput={(values): Adjustment => ({
        item: text(values["item"]), place: text(values["place"]), change: text(values["change"]), lot: orNull(values["lot"]),
        expires_on: orNull(values["expires_on"]), serial: orNull(values["serial"]), status: text(values["status"]) as "available", reason: text(values["reason"]),
      })}
    />
  );
}
