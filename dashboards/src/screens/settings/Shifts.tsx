// Who drives what, and when: a week as a calendar, vehicles down, days across. A shift is pressed to change it, an empty day to
// fill it.
import { ActionIcon, Button, SegmentedControl, Tooltip } from "@mantine/core";
import { IconChevronLeft, IconChevronRight, IconCoffee, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCommand } from "@/api/command";
import { FormDialog, orNull, text, type Field, type Values } from "@/components/CommandForm";
import { useFilter } from "@/components/filters";
import { useNow } from "@/components/now";
import { Page, Panel } from "@/components/Page";
import { calendarDay } from "@/components/times";
import { EmptyState, LiveView } from "@/components/views";
import { changeShift, createShift, fleetQuery, shiftsQuery, type FleetVehicle, type NewShift, type Shift } from "@/data/fleet";
import { usersQuery } from "@/data/people";
import { useList } from "@/data/queries";
import { useZone } from "@/data/site";
import { addDays, dayAt, spanAt, timeAt, weekOf } from "./shiftTimes";
import classes from "./Shifts.module.css";

type Editing = { shift: Shift } | { vehicle: FleetVehicle; day: string };

export default function Shifts() {
  const { t, i18n } = useTranslation(["settings", "common"]);
  const zone = useZone();
  const now = useNow();
  const today = dayAt(new Date(now), zone);
  const [from, setFrom] = useFilter("week", "");
  const days = weekOf(from || today);
  const vehicles = useQuery(fleetQuery);
  const shifts = useQuery(shiftsQuery(days));
  const [editing, setEditing] = useState<Editing | null>(null);
  const weekday = (day: string) => new Intl.DateTimeFormat(i18n.language === "zh" ? "zh-CN" : "en-GB", { weekday: "short", timeZone: "UTC" }).format(new Date(`${day}T00:00:00Z`));
  const first = days[0] ?? today;
  const active = (vehicles.data ?? []).filter((vehicle) => vehicle.active);
  return (
    <Page
      title={t("chapter.shifts")}
      lead={t("shift.lead")}
      actions={<Button disabled={active.length === 0} onClick={() => active[0] && setEditing({ vehicle: active[0], day: days.includes(today) ? today : first })}>{t("shift.add")}</Button>}
      toolbar={
        <>
          <ActionIcon variant="default" size="lg" aria-label={t("shift.week_before")} onClick={() => setFrom(addDays(first, -7))}><IconChevronLeft size={18} /></ActionIcon>
          <SegmentedControl value={days.includes(today) ? "now" : "other"} onChange={() => setFrom(null)} data={[{ value: "now", label: t("shift.this_week") }, ...(days.includes(today) ? [] : [{ value: "other", label: calendarDay(first, i18n.language) }])]} />
          <ActionIcon variant="default" size="lg" aria-label={t("shift.week_after")} onClick={() => setFrom(addDays(first, 7))}><IconChevronRight size={18} /></ActionIcon>
        </>
      }
    >
      <Panel flush>
        <LiveView query={vehicles} empty={(rows) => !rows.some((vehicle) => vehicle.active) && <EmptyState title={t("vehicle.none")} next={<Link to="/settings/vehicles">{t("shift.vehicle_first")}</Link>} />}>
          {() => (
            <LiveView query={shifts}>
              {(rows) => (
                <div className={classes.scroll}>
                  <table className={classes.week} aria-label={t("chapter.shifts")}>
                    <thead>
                      <tr>
                        <th scope="col">{t("common:field.vehicle")}</th>
                        {days.map((day) => (
                          <th key={day} scope="col" data-today={day === today || undefined}>{weekday(day)} <span>{day.slice(8)}.{day.slice(5, 7)}.</span></th>
                        ))}
                      </tr>
                    </thead>
                    <tbody>
                      {active.map((vehicle) => (
                        <tr key={vehicle.id}>
                          <th scope="row"><strong>{vehicle.code}</strong><span>{vehicle.plate}</span></th>
                          {days.map((day) => (
                            <td key={day} data-today={day === today || undefined}>
                              {rows.filter((shift) => shift.vehicle_id === vehicle.id && shift.cancelled_at === null && dayAt(new Date(shift.starts_at), zone) === day)
                                .sort((a, b) => a.starts_at.localeCompare(b.starts_at))
                                .map((shift) => <Chip key={shift.id} shift={shift} zone={zone} past={Date.parse(shift.ends_at) < now} onOpen={() => setEditing({ shift })} />)}
                              <button type="button" className={classes.add} aria-label={`${t("shift.add")}: ${vehicle.code}, ${calendarDay(day, i18n.language)}`} onClick={() => setEditing({ vehicle, day })}>
                                <IconPlus size={15} />
                              </button>
                            </td>
                          ))}
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              )}
            </LiveView>
          )}
        </LiveView>
      </Panel>
      {editing && <ShiftDialog key={"shift" in editing ? editing.shift.id : `${editing.vehicle.id}${editing.day}`} editing={editing} vehicles={active} zone={zone} onClose={() => setEditing(null)} />}
    </Page>
  );
}

function Chip({ shift, zone, past, onOpen }: { shift: Shift; zone: string; past: boolean; onOpen: () => void }) {
  const { t } = useTranslation("settings");
  const time = (at: string) => timeAt(new Date(at), zone);
  const rest = shift.break_s > 0 && shift.break_from && shift.break_until ? t("shift.break_said", { n: Math.round(shift.break_s / 60), from: time(shift.break_from), until: time(shift.break_until) }) : null;
  return (
    <button type="button" className={classes.shift} data-past={past || undefined} data-nobody={shift.driver_id === null || undefined} onClick={onOpen}>
      <b>{time(shift.starts_at)} – {time(shift.ends_at)}</b>
      <span>{shift.driver_name ?? t("shift.nobody")}</span>
      {rest && <Tooltip label={rest}><i><IconCoffee size={14} /> {t("minutes", { n: Math.round(shift.break_s / 60) })}</i></Tooltip>}
    </button>
  );
}

function ShiftDialog({ editing, vehicles, zone, onClose }: { editing: Editing; vehicles: FleetVehicle[]; zone: string; onClose: () => void }) {
  const { t } = useTranslation(["settings", "common"]);
  const users = useList(usersQuery);
  const create = useCommand(createShift, { changes: ["deliveries"] });
  const change = useCommand(changeShift, { changes: ["deliveries"] });
  const shift = "shift" in editing ? editing.shift : null;
  const clock = (at: string | null | undefined, otherwise: string) => (at ? timeAt(new Date(at), zone) : otherwise);
  const drivers = (users.data ?? []).filter((user) => user.active && user.roles.includes("driver"));
  const known = drivers.map((user) => ({ value: user.id, label: user.name }));
  if (shift?.driver_id && !known.some((one) => one.value === shift.driver_id)) known.push({ value: shift.driver_id, label: shift.driver_name ?? "" });
  const day = "day" in editing ? editing.day : dayAt(new Date(editing.shift.starts_at), zone);
  const fields: Field[] = [
    ...("vehicle" in editing ? [{ name: "vehicle_id", label: t("common:field.vehicle"), kind: "select", required: true, half: true, initial: editing.vehicle.id,
      options: vehicles.map((vehicle) => ({ value: vehicle.id, label: vehicle.code })) } satisfies Field] : []),
    { name: "driver_id", label: t("shift.driver"), kind: "select", half: true, hint: known.length === 0 ? t("shift.no_drivers") : undefined, initial: shift?.driver_id ?? "", options: known },
    { name: "day", label: t("shift.day"), kind: "date", required: true, half: !shift, initial: day },
    { name: "from", label: t("shift.from"), kind: "time", required: true, half: true, initial: clock(shift?.starts_at, "08:00") },
    { name: "until", label: t("shift.until"), kind: "time", required: true, half: true, initial: clock(shift?.ends_at, "16:00") },
    { name: "rest_min", label: t("shift.break"), kind: "quantity", hint: t("shift.break_hint"), initial: String(Math.round((shift?.break_s ?? 1800) / 60)) },
    { name: "rest_from", label: t("shift.break_from"), kind: "time", half: true, initial: clock(shift?.break_from, "11:00") },
    { name: "rest_until", label: t("shift.break_until"), kind: "time", half: true, initial: clock(shift?.break_until, "13:00") },
    ...(shift ? [{ name: "cancelled", label: t("shift.cancel"), hint: t("shift.cancel_hint"), kind: "check" } satisfies Field] : []),
  ];
  const common = (values: Values) => {
    const on = text(values["day"]);
    const [starts_at, ends_at] = spanAt(on, text(values["from"]), text(values["until"]), zone);
    const break_s = Math.round(Number(text(values["rest_min"]) || "0") * 60);
    const within = (time: string): string => {
      const at = spanAt(on, "00:00", time, zone)[1];
      return at < starts_at ? spanAt(addDays(on, 1), "00:00", time, zone)[1] : at; // after midnight
    };
    return {
      driver_id: orNull(values["driver_id"]), starts_at, ends_at, break_s,
      break_from: break_s > 0 ? within(text(values["rest_from"])) : null, break_until: break_s > 0 ? within(text(values["rest_until"])) : null,
    };
  };
  const shared = { opened: true, onClose, fields, done: t("common:action.saved") };
  return shift ? (
    <FormDialog {...shared} title={`${shift.vehicle_code}: ${t("shift.change")}`} command={change} submit={t("common:action.save")}
      toInput={(values) => (values["cancelled"] === true ? { id: shift.id, version: shift.version, cancelled: true } : { id: shift.id, version: shift.version, ...common(values) })} />
  ) : (
    <FormDialog {...shared} title={t("shift.add")} command={create} submit={t("common:action.create")} toInput={(values): NewShift => ({ vehicle_id: text(values["vehicle_id"]), ...common(values) })} />
  );
}
