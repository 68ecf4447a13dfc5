// A decimal string with its unit. Give `to` when the number is made of something a person can open.
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { groupDigits, isZero, signOf } from "./numbers";
import classes from "./Quantity.module.css";

export interface QuantityProps {
  value: string | number | null | undefined;
  unit?: string | null;
  to?: string;
  /** Show + and −, coloured: for differences. */
  signed?: boolean;
  size?: "md" | "lg" | "xl";
}

export function useUnit(): (unit: string | null | undefined) => string {
  const { t, i18n } = useTranslation();
  return (unit) => (!unit ? "" : i18n.exists(`unit.${unit}`) ? t(`unit.${unit}` as "unit.each") : unit);
}

/** A sensor's reading in words: a door is open or closed, everything else is a number with its unit. */
export function useReading(): (channel: string, value: number, unit: string) => string {
  const { t } = useTranslation();
  const unitName = useUnit();
  return (channel, value, unit) => {
    if (channel.endsWith("door_open")) return value > 0 ? t("reading.open") : t("reading.closed");
    return `${value.toLocaleString("en", { maximumFractionDigits: 1 })} ${unitName(unit)}`.trim();
  };
}

export function Quantity({ value, unit, to, signed = false, size = "md" }: QuantityProps) {
  const unitName = useUnit()(unit);
  if (value === null || value === undefined) return <span className="soft">–</span>;
  const text = String(value);
  const sign = signOf(text);
  const body = (
    <span className={classes.quantity} data-size={size} data-zero={isZero(text) || undefined} data-sign={signed ? sign : undefined}>
      {signed && sign > 0 ? "+" : ""}
      {groupDigits(text)}
      {unitName && <span className={classes.unit}>{unitName}</span>}
    </span>
  );
  return to ? (
    <Link to={to} className="quiet-link" onClick={(event) => event.stopPropagation()}>
      {body}
    </Link>
  ) : (
    body
  );
}
