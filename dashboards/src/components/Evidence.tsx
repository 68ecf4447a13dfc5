// What a movement, an alert or a discrepancy is founded on, as it was recorded: reads, scans, weights, whatever came.
import { useTranslation } from "react-i18next";
import { sentence } from "@/i18n/sentences";
import { Actor } from "./Actor";
import { groupDigits } from "./numbers";
import { Time } from "./Time";
import { EpcText } from "./Code";
import classes from "./Evidence.module.css";

type Json = unknown;
const isObject = (value: Json): value is Record<string, Json> => typeof value === "object" && value !== null && !Array.isArray(value);

export function Evidence({ value }: { value: Json }) {
  const { t } = useTranslation();
  const label = useLabel();
  if (isObject(value) && Object.keys(value).length > 0) {
    return (
      <dl className={classes.tree}>
        {Object.entries(value).map(([key, inner]) => (
          <div key={key} data-block={(isObject(inner) || (Array.isArray(inner) && inner.some(isObject))) || undefined}>
            <dt>{label(key)}</dt>
            <dd>
              <Leaf name={key} value={inner} />
            </dd>
          </div>
        ))}
      </dl>
    );
  }
  return <span className="soft">{t("evidence.none")}</span>;
}

function useLabel(): (key: string) => string {
  const { t, i18n } = useTranslation();
  return (key) => (i18n.exists(`evidence.${key}`) ? t(`evidence.${key}` as "evidence.none") : key.replaceAll("_", " "));
}

function Leaf({ name, value }: { name: string; value: Json }) {
  const label = useLabel();
  if (value === null || value === undefined || value === "") return <span className="soft">–</span>;
  if (Array.isArray(value)) {
    const rows = value.filter(isObject);
    if (rows.length === value.length && rows.length > 0) {
      const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
      return (
        <table className={classes.table}>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column}>{label(column)}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, 50).map((row, index) => (
              <tr key={index}>
                {columns.map((column) => (
                  <td key={column}>
                    <Leaf name={column} value={row[column]} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      );
    }
    return (
      <span className={classes.list}>
        {value.slice(0, 60).map((inner, index) => (
          <Leaf key={index} name={name} value={inner} />
        ))}
      </span>
    );
  }
  if (isObject(value)) return <Evidence value={value} />;
  if (typeof value === "string") {
    if (name === "sentence" || name === "detail") return <span>{sentence(value)}</span>;
    if (/^\d{4}-\d\d-\d\dT/.test(value)) return <Time at={value} />;
    if (/^[0-9A-F]{16,}$/.test(value)) return <EpcText epc={value} />;
    if (/^(user|agent|device|job|system):/.test(value)) return <Actor actor={value} />;
    if (/^[+-]?\d+\.\d+$/.test(value)) return <span>{groupDigits(value)}</span>;
    if (/^[a-z]+(_[a-z]+)+$/.test(value)) return <span>{value.replaceAll("_", " ")}</span>;
    if (/_id$|^id$/.test(name)) return <span className="mono">{value.slice(0, 8)}</span>;
    return <span>{value}</span>;
  }
  return <span>{String(value)}</span>;
}
