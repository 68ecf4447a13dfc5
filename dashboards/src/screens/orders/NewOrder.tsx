// An order typed in by hand, for a customer who calls: whom for, what, until when and where to.
import { ActionIcon, Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { useCommand } from "@/api/command";
import { FormDialog, orNull, text, type Field, type Values } from "@/components/CommandForm";
import { CustomerSelect, ItemSelect, UnitSelect } from "@/components/selects";
import { createOrder, type NewOrder as Order } from "@/data/orders";
import { erpStatusQuery } from "@/data/outbox";
import { useZone } from "@/data/site";
import { addDays, dayAt, momentAt } from "../settings/shiftTimes";

const SHIP_TO = ["name", "street", "postcode", "city", "phone", "note"] as const;
const MOST_LINES = 500;

export function NewOrder({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation(["orders", "common"]);
  const navigate = useNavigate();
  const zone = useZone();
  const erp = useQuery(erpStatusQuery).data;
  // A line keeps its number when one before it is taken out; the backend counts those that are sent.
  const [lines, setLines] = useState([0]);
  const create = useCommand(createOrder, {
    changes: ["orders", "stock"],
    onDone: (order) => {
      notifications.show({ message: t("new.taken", { number: order.number }), color: "teal" });
      void navigate(`/orders/${order.id}`);
    },
  });
  const line = (n: number, at: number, values: Values): Field[] => {
    const [item, quantity, pack] = [`item.${n}`, `quantity.${n}`, `pack.${n}`];
    return [
      { name: item, label: t("common:field.item"), bare: at > 0, required: true, span: 6, refusedAs: `lines.${at}.item_id`,
        render: ({ input, value, fill }) => <ItemSelect input={input} value={value} onChange={(id) => fill({ [item]: id, [pack]: "" })} /> },
      { name: quantity, label: t("common:field.quantity"), bare: at > 0, kind: "quantity", required: true, span: 2, refusedAs: `lines.${at}.quantity` },
      { name: pack, label: t("common:field.unit"), bare: at > 0, span: 3, refusedAs: `lines.${at}.pack`,
        render: ({ input, value, fill }) => <UnitSelect input={input} itemId={text(values[item])} value={value} onChange={(name) => fill({ [pack]: name })} /> },
      { name: `drop.${n}`, label: "", span: 1,
        render: () => (
          <ActionIcon variant="subtle" color="gray" size="lg" mt={at === 0 ? 24 : 0} disabled={lines.length === 1} aria-label={t("new.drop_line")} title={t("new.drop_line")} onClick={() => setLines((all) => all.filter((one) => one !== n))}>
            <IconTrash size={17} stroke={1.6} />
          </ActionIcon>
        ) },
    ];
  };
  const heading = (name: string, label: string, hint: string): Field => ({
    name, label, render: () => <div style={{ borderTop: "1px solid var(--line)", paddingTop: 12 }}><strong style={{ fontWeight: 600 }}>{label}</strong> <span className="soft">{hint}</span></div>,
  });
  const fields = (values: Values): Field[] => [
    { name: "customer_id", label: t("common:field.customer"), hint: t("new.customer_hint"), required: true, half: true, render: ({ input, value, fill }) => <CustomerSelect input={input} value={value} onChange={(id) => fill({ customer_id: id })} /> },
    { name: "external_number", label: t("their_number"), hint: t("new.their_number_hint"), half: true },
    { name: "day", label: t("new.wanted"), kind: "date", required: true, span: 4, initial: addDays(dayAt(new Date(), zone), 1), refusedAs: "due_at" },
    { name: "time", label: t("new.until"), kind: "time", required: true, span: 3, initial: "16:00" },
    { name: "priority", label: t("priority"), kind: "select", required: true, span: 5, initial: "5", options: Array.from({ length: 9 }, (_, n) => ({ value: String(n + 1), label: n === 0 || n === 4 || n === 8 ? t(`new.priority.${n + 1}` as "new.priority.1") : String(n + 1) })) },
    heading("lines", t("new.lines"), t("new.lines_hint")),
    ...lines.flatMap((n, at) => line(n, at, values)),
    { name: "more", label: "", render: () => (
      <Button size="xs" variant="light" leftSection={<IconPlus size={14} />} disabled={lines.length >= MOST_LINES} onClick={() => setLines((all) => [...all, Math.max(...all) + 1])}>
        {t("new.add_line")}
      </Button>
    ) },
    heading("ship_to", t("ship_to"), t("new.ship_to_hint")),
    to("name", t("common:field.name"), 6),
    to("street", t("new.street"), 6),
    to("postcode", t("new.postcode"), 3),
    to("city", t("new.city"), 5),
    to("phone", t("new.phone"), 4),
    to("note", t("new.driver_note"), 6),
    { name: "note", label: t("new.note"), half: true },
  ];
  const toInput = (values: Values): Order => ({
    source: "api", customer_id: text(values["customer_id"]), external_number: orNull(values["external_number"]), priority: Number(text(values["priority"])),
    due_at: momentAt(text(values["day"]), text(values["time"]), zone), note: text(values["note"]),
    ship_to: Object.fromEntries(SHIP_TO.map((name) => [name, text(values[`to.${name}`])]).filter(([, value]) => value !== "")),
    lines: lines.map((n) => ({ item_id: text(values[`item.${n}`]) || null, quantity: text(values[`quantity.${n}`]), pack: orNull(values[`pack.${n}`]) })),
  });
  return (
    <FormDialog
      wide
      title={t("new.title")}
      opened
      onClose={onClose}
      command={create}
      fields={fields}
      toInput={toInput}
      submit={t("new.take")}
      before={erp && <span className="soft">{t(erp.state === "off" ? "new.without_erp" : "new.with_erp")}</span>}
    />
  );
}

const to = (name: (typeof SHIP_TO)[number], label: string, span: number): Field => ({ name: `to.${name}`, label, span, refusedAs: `ship_to.${name}` });
