// A table for reading and working: rows keep their place while someone reads, arrow keys walk, Enter opens, Space marks.
import { Button, Checkbox } from "@mantine/core";
import { IconArrowUp } from "@tabler/icons-react";
import { useMemo, useRef, useState, type KeyboardEvent, type MouseEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { steady, type Steady } from "./steady";
import { capital } from "./words";
import classes from "./DataTable.module.css";

export interface Column<T> {
  key: string;
  header: ReactNode;
  cell: (row: T) => ReactNode;
  align?: "right" | "center";
  width?: number | string;
  /** Takes what is left and cuts long text. */
  grow?: boolean;
  /** Takes what is left and breaks long text into lines: for sentences a person must read. */
  wrap?: boolean;
}

export interface DataTableProps<T> {
  rows: readonly T[];
  columns: Column<T>[];
  rowKey: (row: T) => string;
  /** Where Enter or a press on the row leads. */
  rowTo?: (row: T) => string | undefined;
  onOpen?: (row: T) => void;
  tone?: (row: T) => "warn" | "bad" | undefined;
  selection?: { selected: ReadonlySet<string>; onChange: (keys: Set<string>) => void; canSelect?: (row: T) => boolean };
  more?: { available: boolean; loading: boolean; load: () => void };
  label: string;
  expanded?: (row: T) => ReactNode | undefined;
}

export function DataTable<T>(props: DataTableProps<T>) {
  const { rows, columns, rowKey, rowTo, onOpen, tone, selection, more, label, expanded } = props;
  const { t } = useTranslation();
  const navigate = useNavigate();
  const body = useRef<HTMLTableSectionElement>(null);
  const [reading, setReading] = useState(false);
  const [letIn, setLetIn] = useState(0);
  const { shown, waiting } = useSteady(rows, rowKey, reading, letIn);

  const open = (row: T) => {
    if (onOpen) return onOpen(row);
    const to = rowTo?.(row);
    if (to) void navigate(to);
  };
  const opens = Boolean(onOpen ?? rowTo);
  const toggle = (row: T) => {
    if (!selection || selection.canSelect?.(row) === false) return;
    const next = new Set(selection.selected);
    const key = rowKey(row);
    if (!next.delete(key)) next.add(key);
    selection.onChange(next);
  };
  const onKey = (event: KeyboardEvent<HTMLTableRowElement>, row: T) => {
    if (event.target !== event.currentTarget) return;
    const step = event.key === "ArrowDown" || event.key === "j" ? 1 : event.key === "ArrowUp" || event.key === "k" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      const all = [...(body.current?.querySelectorAll<HTMLTableRowElement>("tr[data-row]") ?? [])];
      all[all.indexOf(event.currentTarget) + step]?.focus();
    } else if (event.key === "Enter") {
      event.preventDefault();
      open(row);
    } else if (event.key === " " && selection) {
      event.preventDefault();
      toggle(row);
    }
  };
  const onPress = (event: MouseEvent, row: T) => {
    if ((event.target as HTMLElement).closest("a, button, input, label")) return;
    if (window.getSelection()?.toString()) return;
    open(row);
  };
  const selectable = selection ? rows.filter((row) => selection.canSelect?.(row) !== false) : [];
  const allSelected = selectable.length > 0 && selectable.every((row) => selection?.selected.has(rowKey(row)));

  return (
    <div
      className={classes.frame}
      onMouseEnter={() => setReading(true)}
      onMouseLeave={() => setReading(body.current?.contains(document.activeElement) ?? false)}
      onFocus={() => setReading(true)}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setReading(event.currentTarget.matches(":hover"));
      }}
    >
      {waiting > 0 && (
        <div className={classes.waiting}>
          <Button size="compact-xs" radius="xl" leftSection={<IconArrowUp size={13} />} onClick={() => setLetIn((n) => n + 1)}>
            {t("table.new_rows", { count: waiting })}
          </Button>
        </div>
      )}
      <table className={classes.table} aria-label={label}>
        <thead>
          <tr>
            {selection && (
              <th className={classes.check}>
                <Checkbox
                  size="xs"
                  aria-label={t("table.select_all")}
                  checked={allSelected}
                  indeterminate={!allSelected && selection.selected.size > 0}
                  onChange={() => selection.onChange(allSelected ? new Set() : new Set(selectable.map(rowKey)))}
                />
              </th>
            )}
            {columns.map((column) => (
              <th key={column.key} data-align={column.align} style={{ width: column.width }}>
                {typeof column.header === "string" ? capital(column.header) : column.header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {shown.map(({ key, row, gone }, index) => {
            const below = expanded?.(row);
            return [
              <tr
                key={key}
                data-row
                tabIndex={index === 0 ? 0 : -1}
                data-opens={opens || undefined}
                data-tone={tone?.(row)}
                data-gone={gone || undefined}
                data-selected={selection?.selected.has(key) || undefined}
                onKeyDown={(event) => onKey(event, row)}
                onClick={opens ? (event) => onPress(event, row) : undefined}
              >
                {selection && (
                  <td className={classes.check}>
                    <Checkbox
                      size="xs"
                      tabIndex={-1}
                      aria-label={t("table.select_row")}
                      disabled={selection.canSelect?.(row) === false}
                      checked={selection.selected.has(key)}
                      onChange={() => toggle(row)}
                    />
                  </td>
                )}
                {columns.map((column) => (
                  <td key={column.key} data-align={column.align} data-grow={column.grow || undefined} data-wrap={column.wrap || undefined}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>,
              below ? (
                <tr key={`${key}-below`} className={classes.below}>
                  <td colSpan={columns.length + (selection ? 1 : 0)}>{below}</td>
                </tr>
              ) : null,
            ];
          })}
        </tbody>
      </table>
      {more?.available && (
        <div className={classes.more}>
          <Button variant="subtle" size="xs" loading={more.loading} onClick={more.load}>
            {t("table.more")}
          </Button>
        </div>
      )}
    </div>
  );
}

function useSteady<T>(rows: readonly T[], rowKey: (row: T) => string, holding: boolean, letIn: number) {
  const [held, setHeld] = useState<{ rows: Steady<T>["rows"]; letIn: number }>({ rows: [], letIn });
  const result = useMemo(
    () => steady(held.rows, rows, rowKey, holding && held.letIn === letIn),
    // rowKey is a pure function of the row; callers write it inline.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [held, rows, holding, letIn],
  );
  const same =
    held.letIn === letIn &&
    held.rows.length === result.rows.length &&
    held.rows.every((entry, index) => entry.key === result.rows[index]?.key);
  if (!same) setHeld({ rows: result.rows, letIn });
  return { shown: result.rows, waiting: result.waiting };
}
