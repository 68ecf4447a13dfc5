// One device: is it well, what does it measure, what did it see, what did it say.
import { Button, SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Chart, Sparkline, type ChartProps, type Series } from "@/components/Chart";
import { EpcText } from "@/components/Code";
import { FormDialog, orNull, text } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Evidence } from "@/components/Evidence";
import { Facts } from "@/components/facts";
import { PlaceLink } from "@/components/MovementTable";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { useUnit } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { Age, Time } from "@/components/Time";
import { EmptyState, LiveView } from "@/components/views";
import { placesQuery } from "@/data/catalog";
import { changeDevice, deviceQuery, observationsQuery, seriesQuery, type Device, type DeviceDetail, type Observation } from "@/data/devices";
import { useList } from "@/data/queries";
import { Alerts } from "./Alerts";
import { Commands } from "./Commands";
import { Antennas, ClockOffset, Readings } from "./parts";
import { DEVICE_TONE } from "./Tree";

export default function DevicePage() {
  const { t } = useTranslation(["devices", "common"]);
  const word = useWord();
  const may = useMay();
  const { deviceId = "" } = useParams();
  const device = useQuery(deviceQuery(deviceId));
  const [editing, setEditing] = useState(false);
  const known = device.data?.device;
  return (
    <Page
      name={known?.code}
      title={known ? <>{known.code} <State value={known.state} tone={DEVICE_TONE[known.state]} group="devices:state" /></> : "…"}
      crumbs={[{ label: t("title"), to: "/devices" }]}
      lead={known && [word("devices:kind", known.kind), known.name, known.agent].filter(Boolean).join(" · ")}
      actions={known && may("integrator") && <Button variant="default" onClick={() => setEditing(true)}>{t("common:action.edit")}</Button>}
    >
      <LiveView query={device}>{(d) => <Details detail={d} />}</LiveView>
      {editing && known && <EditDialog device={known} onClose={() => setEditing(false)} />}
    </Page>
  );
}

function Details({ detail }: { detail: DeviceDetail }) {
  const { device, events } = detail;
  const { t } = useTranslation(["devices", "common"]);
  const word = useWord();
  const [open, setOpen] = useState<string | null>(null);
  return (
    <Columns ratio="minmax(0, 2.2fr) minmax(300px, 1fr)">
      <Stack>
        {device.channels.length > 0 && <Charts device={device} />}
        {device.kind === "llrp_reader" && <Observations device={device} />}
        <Alerts deviceId={device.id} />
        <Commands detail={detail} />
        <Panel title={t("events_title")} flush>
          {events.length === 0 ? (
            <EmptyState title={t("no_events")} next={t("no_events_next")} />
          ) : (
            <DataTable
              label={t("events_title")}
              rows={events}
              rowKey={(event) => `${event.seq}${event.recorded_at}`}
              onOpen={(event) => setOpen(open === `${event.seq}${event.recorded_at}` ? null : `${event.seq}${event.recorded_at}`)}
              expanded={(event) => (open === `${event.seq}${event.recorded_at}` ? <Evidence value={event.data} /> : undefined)}
              columns={[
                { key: "when", header: t("common:field.when"), cell: (event) => <Time at={event.occurred_at} age /> },
                { key: "type", header: t("common:field.kind"), grow: true, cell: (event) => word("devices:event", event.type) },
                { key: "recorded", header: t("recorded"), cell: (event) => <Time at={event.recorded_at} /> },
                { key: "raw", header: t("device_clock"), cell: (event) => <span className="mono soft">{event.device_at ?? "–"}</span> },
                { key: "seq", header: t("number"), align: "right", cell: (event) => event.seq },
              ]}
            />
          )}
        </Panel>
      </Stack>
      <Panel title={t("health")}>
        <Facts
          facts={[
            [t("common:field.state"), <State key="s" value={device.state} tone={DEVICE_TONE[device.state]} group="devices:state" />],
            device.detail !== "" && [t("detail"), device.detail],
            [t("since"), <Age key="n" at={device.state_since} />],
            [t("last_seen"), <Age key="l" at={device.last_seen_at} />],
            [t("now"), <Readings key="r" device={device} />],
            [t("half_hour"), <Sparkline key="h" values={device.read_rates} width={140} label={t("rate_label", { code: device.code })} />],
            [t("antennas"), <Antennas key="a" antennas={device.antennas} />],
            [t("clock"), <ClockOffset key="c" seconds={device.clock_offset_s} />],
            [t("firmware"), device.firmware ?? "–"],
            [t("rejected"), String(device.rejected_frames)],
            [t("lost_events"), String(device.events_lost)],
            [t("common:field.place"), <PlaceLink key="p" id={device.place_id} code={device.place} />],
            [t("purpose_label"), t(`purpose.${device.purpose}`)],
            [t("silent_after"), t("seconds", { n: device.silent_after_s })],
          ]}
        />
      </Panel>
    </Columns>
  );
}

const RANGES = { "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "90d": 7_776_000 } as const;
type Range = keyof typeof RANGES;

/** The window starts at a whole minute, so that the question stays the same while it is answered. */
function windowOf(range: Range): { range: Range; from: string } {
  return { range, from: new Date(Math.floor((Date.now() - RANGES[range] * 1000) / 60_000) * 60_000).toISOString() };
}

function Charts({ device }: { device: Device }) {
  const { t } = useTranslation(["devices", "common"]);
  const [{ range, from }, setWindow] = useState(() => windowOf("6h"));
  return (
    <>
      <div style={{ display: "flex", justifyContent: "flex-end" }}>
        <SegmentedControl value={range} onChange={(value) => setWindow(windowOf(value as Range))} data={(Object.keys(RANGES) as Range[]).map((value) => ({ value, label: t(`range.${value}`) }))} />
      </div>
      {device.channels.map((channel) => (
        <ChannelChart key={channel.channel} device={device} channel={channel.channel} from={from} />
      ))}
    </>
  );
}

function ChannelChart({ device, channel, from }: { device: Device; channel: string; from: string }) {
  const { t } = useTranslation(["devices", "common"]);
  const word = useWord();
  const unitOf = useUnit();
  const series = useQuery({ ...seriesQuery(device.id, channel, from), placeholderData: (previous) => previous });
  const name = word("devices:channel", channel);
  const drawn = useMemo(() => {
    const data = series.data;
    if (!data) return null;
    const unit = unitOf(data.unit);
    const lines: Series[] = [];
    if (data.bucket_s >= 60) {
      lines.push({ label: t("highest"), unit, tone: "wait", values: data.points.map((point) => point.maximum) });
      lines.push({ label: t("lowest"), unit, tone: "wait", values: data.points.map((point) => point.minimum) });
    }
    lines.push({ label: name, unit, values: data.points.map((point) => point.average) });
    const marks: ChartProps["marks"] = [];
    if (data.high !== null) marks.push({ value: data.high, label: t("upper_limit", { value: data.high, unit }), tone: "bad" });
    if (data.low !== null) marks.push({ value: data.low, label: t("lower_limit", { value: data.low, unit }), tone: "bad" });
    return { times: data.points.map((point) => Date.parse(point.at) / 1000), lines, marks };
    // unitOf only reads words; it changes with the language, which changes t.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [series.data, name, t]);
  return (
    <Panel title={name}>
      <LiveView query={series} empty={(data) => data.points.every((point) => point.average === null) && <EmptyState title={t("no_values")} next={t("no_values_next")} />}>
        {() => drawn && <Chart times={drawn.times} series={drawn.lines} marks={drawn.marks} label={name} height={210} />}
      </LiveView>
    </Panel>
  );
}

function Observations({ device }: { device: Device }) {
  const { t } = useTranslation(["devices", "common"]);
  const list = useList(observationsQuery({ device_id: device.id }));
  const columns: Column<Observation>[] = [
    { key: "at", header: t("common:field.when"), cell: (o) => <Time at={o.at} age /> },
    { key: "epc", header: t("tag"), grow: true, cell: (o) => <EpcText epc={o.epc} /> },
    { key: "antenna", header: t("antenna"), align: "right", cell: (o) => o.antenna },
    { key: "reads", header: t("reads"), align: "right", cell: (o) => o.reads },
    { key: "rssi", header: t("rssi"), align: "right", cell: (o) => (o.peak_rssi_cdbm === null ? "–" : t("dbm", { value: (o.peak_rssi_cdbm / 100).toFixed(1) })) },
  ];
  return (
    <Panel title={t("seen")} flush>
      <LiveView query={list} empty={(rows) => rows.length === 0 && <EmptyState title={t("nothing_seen")} next={t("nothing_seen_next")} />}>
        {(rows) => <DataTable label={t("seen")} rows={rows} columns={columns} rowKey={(o) => `${o.epc}${o.at}${o.antenna}`} more={list.more} />}
      </LiveView>
    </Panel>
  );
}

function EditDialog({ device, onClose }: { device: Device; onClose: () => void }) {
  const { t } = useTranslation(["devices", "common"]);
  const places = useList(placesQuery());
  const change = useCommand(changeDevice, { changes: ["devices"] });
  return (
    <FormDialog
      title={device.code}
      opened
      onClose={onClose}
      command={change}
      fields={[
        { name: "name", label: t("common:field.name"), initial: device.name, half: true },
        { name: "place_id", label: t("common:field.place"), kind: "select", half: true, initial: device.place_id ?? "", options: (places.data ?? []).filter((place) => place.is_physical).map((place) => ({ value: place.id, label: place.code })) },
        { name: "purpose", label: t("purpose_label"), hint: t("purpose_hint"), kind: "select", required: true, half: true, initial: device.purpose, options: (["inbound", "outbound", "both", "none"] as const).map((value) => ({ value, label: t(`purpose.${value}`) })) },
        { name: "silent_after_s", label: t("silent_after"), hint: t("silent_hint"), kind: "quantity", required: true, half: true, initial: String(device.silent_after_s) },
        { name: "active", label: t("in_use"), kind: "check", initial: device.active },
      ]}
      toInput={(values) => ({
        id: device.id, version: device.version, name: text(values["name"]), place_id: orNull(values["place_id"]), purpose: text(values["purpose"]) as "both",
        silent_after_s: Number(text(values["silent_after_s"])), active: values["active"] === true,
      })}
      submit={t("common:action.save")}
      done={t("common:action.saved")}
    />
  );
}
