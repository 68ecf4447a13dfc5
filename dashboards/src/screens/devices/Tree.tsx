// Site, agent, device: each with its state, and everything an integrator asks first.
import { Button, CopyButton, Menu } from "@mantine/core";
import { IconDots } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Sparkline } from "@/components/Chart";
import { FormDialog, orNull, text } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Facts } from "@/components/facts";
import { PlaceLink } from "@/components/MovementTable";
import { Panel } from "@/components/Page";
import { Shape, State, useWord, type Tone } from "@/components/State";
import { Age, Time } from "@/components/Time";
import { EmptyState, ErrorState, LiveView } from "@/components/views";
import { placesQuery } from "@/data/catalog";
import { agentsQuery, devicesQuery, newAgent, newDevice, newEnrolCode, revokeAgent, rotateSecret, type Agent, type AgentSecret, type AgentWithCode, type Device } from "@/data/devices";
import { useList } from "@/data/queries";
import { useSite } from "@/data/site";
import { ClockOffset, Readings, Antennas } from "./parts";
import classes from "./Tree.module.css";

export const DEVICE_TONE: Record<Device["state"], Tone> = { online: "ok", offline: "bad", fault: "bad", unknown: "wait" };
const KINDS = ["llrp_reader", "barcode_scanner", "scale", "climate_sensor", "door_contact"];

export function Tree() {
  const { t } = useTranslation(["devices", "common"]);
  const may = useMay();
  const site = useSite();
  const agents = useQuery(agentsQuery);
  const devices = useQuery(devicesQuery);
  const [enrolling, setEnrolling] = useState(false);
  const [code, setCode] = useState<AgentWithCode | null>(null);
  const [secret, setSecret] = useState<AgentSecret | null>(null);
  const [adding, setAdding] = useState<Agent | null>(null);
  const create = useCommand(newAgent, { changes: ["devices"] });
  return (
    <>
      <div className={classes.bar}>
        <span className={classes.site}>{site?.name}</span>
        {agents.data && <span className="soft">{t("count", { agents: agents.data.items.length, devices: devices.data?.items.length ?? 0 })}</span>}
        {may("integrator") && (
          <Button ml="auto" onClick={() => setEnrolling(true)}>
            {t("enrol")}
          </Button>
        )}
      </div>
      {code && <CodePanel code={code} onDone={() => setCode(null)} />}
      {secret && <SecretPanel secret={secret} onDone={() => setSecret(null)} />}
      <LiveView
        query={agents}
        empty={(page) => page.items.length === 0 && (
          <Panel>
            <EmptyState title={t("none")} next={t("none_next")} action={may("integrator") ? { label: t("enrol"), onClick: () => setEnrolling(true) } : undefined} />
          </Panel>
        )}
      >
        {(page) => page.items.map((agent) => (
          <AgentPanel
            key={agent.id}
            agent={agent}
            devices={devices.data?.items.filter((device) => device.agent_id === agent.id) ?? []}
            onCode={setCode}
            onSecret={setSecret}
            onAdd={() => setAdding(agent)}
          />
        ))}
      </LiveView>
      <FormDialog
        title={t("enrol")}
        opened={enrolling}
        onClose={() => setEnrolling(false)}
        command={create}
        before={<span className="soft">{t("enrol_lead")}</span>}
        fields={[
          { name: "code", label: t("common:field.code"), hint: t("agent_code_hint"), required: true, half: true },
          { name: "name", label: t("common:field.name"), half: true },
        ]}
        toInput={(values) => ({ code: text(values["code"]), name: text(values["name"]) })}
        submit={t("get_code")}
        onDone={setCode}
      />
      {adding && <DeviceDialog agent={adding} onClose={() => setAdding(null)} />}
    </>
  );
}

function agentTone(agent: Agent): Tone {
  if (agent.state === "revoked") return "off";
  if (agent.state === "enrolling") return "wait";
  return agent.online ? "ok" : "bad";
}

function AgentPanel({ agent, devices, onCode, onSecret, onAdd }: { agent: Agent; devices: Device[]; onCode: (code: AgentWithCode) => void; onSecret: (secret: AgentSecret) => void; onAdd: () => void }) {
  const { t } = useTranslation(["devices", "common"]);
  const word = useWord();
  const may = useMay();
  const columns: Column<Device>[] = [
    { key: "state", header: t("common:field.state"), cell: (d) => <span title={d.detail}><State value={d.active ? d.state : "inactive"} tone={d.active ? DEVICE_TONE[d.state] : "off"} group="devices:state" /></span> },
    { key: "code", header: t("common:field.device"), cell: (d) => <strong style={{ fontWeight: 560 }}>{d.code}</strong> },
    { key: "kind", header: t("common:field.kind"), cell: (d) => word("devices:kind", d.kind) },
    { key: "place", header: t("common:field.place"), grow: true, cell: (d) => <><PlaceLink id={d.place_id} code={d.place} />{d.purpose !== "none" && d.kind === "llrp_reader" && <span className="soft"> · {t(`purpose.${d.purpose}`)}</span>}</> },
    { key: "readings", header: t("now"), cell: (d) => <Readings device={d} /> },
    { key: "rate", header: t("half_hour"), cell: (d) => <Sparkline values={d.read_rates} label={t("rate_label", { code: d.code })} /> },
    { key: "antennas", header: t("antennas"), cell: (d) => <Antennas antennas={d.antennas} /> },
    { key: "clock", header: t("clock"), align: "right", cell: (d) => <ClockOffset seconds={d.clock_offset_s} /> },
    { key: "firmware", header: t("firmware"), cell: (d) => <span className="soft">{d.firmware ?? "–"}</span> },
    { key: "faults", header: t("rejected"), align: "right", cell: (d) => <span className={d.rejected_frames > 0 ? undefined : "soft"}>{d.rejected_frames}</span> },
    { key: "seen", header: t("last_seen"), cell: (d) => <Age at={d.last_seen_at} /> },
  ];
  return (
    <Panel
      flush
      title={
        <span className={classes.agent}>
          <Shape tone={agentTone(agent)} />
          <strong>{agent.code}</strong>
          {agent.name && <span className="soft">{agent.name}</span>}
          <span className={classes.facts}>
            <span>{agent.state === "active" ? (agent.online ? t("online") : t("offline")) : t(`agent_state.${agent.state}`)}</span>
            {agent.last_status_at && <span>{t("said")} <Age at={agent.last_status_at} /></span>}
            {agent.version && <span>{t("version", { version: agent.version })}</span>}
            <span title={t("spool_hint")} data-warn={agent.spool_depth > 1000 || undefined}>{t("spool", { n: agent.spool_depth })}</span>
            <span title={t("events_hint")}>{t("events", { n: agent.events.toLocaleString("en") })}</span>
            {agent.duplicates > 0 && <span>{t("duplicates", { n: agent.duplicates.toLocaleString("en") })}</span>}
            {agent.events_lost > 0 && <span data-warn>{t("lost", { n: agent.events_lost })}</span>}
          </span>
        </span>
      }
      actions={may("integrator") && <AgentMenu agent={agent} onCode={onCode} onSecret={onSecret} onAdd={onAdd} />}
    >
      {devices.length === 0 ? (
        <EmptyState title={t("no_devices")} next={agent.state === "enrolling" ? t("no_devices_enrolling") : t("no_devices_next")} />
      ) : (
        <DataTable label={agent.code} rows={devices} columns={columns} rowKey={(d) => d.id} rowTo={(d) => `/devices/${d.id}`} tone={(d) => (d.active && (d.state === "offline" || d.state === "fault") ? "bad" : undefined)} />
      )}
    </Panel>
  );
}

function AgentMenu({ agent, onCode, onSecret, onAdd }: { agent: Agent; onCode: (code: AgentWithCode) => void; onSecret: (secret: AgentSecret) => void; onAdd: () => void }) {
  const { t } = useTranslation(["devices", "common"]);
  const code = useCommand(newEnrolCode, { changes: ["devices"], onDone: onCode });
  const rotate = useCommand(rotateSecret, { changes: ["devices"], onDone: onSecret });
  const revoke = useCommand(revokeAgent, { changes: ["devices"] });
  const [asking, setAsking] = useState<"rotate" | "revoke" | null>(null);
  const failed = code.error ?? rotate.error ?? revoke.error;
  return (
    <>
      {failed && <ErrorState error={failed} compact />}
      <Menu position="bottom-end" shadow="md" closeOnItemClick={false} onClose={() => setAsking(null)}>
        <Menu.Target>
          <Button variant="subtle" color="gray" size="compact-sm" aria-label={t("agent_menu")}>
            <IconDots size={17} stroke={1.6} />
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item closeMenuOnClick onClick={onAdd}>{t("add_device")}</Menu.Item>
          <Menu.Item closeMenuOnClick onClick={() => code.mutate(agent.id)}>{t("new_code")}</Menu.Item>
          {agent.state === "active" && (
            <Menu.Item onClick={() => (asking === "rotate" ? rotate.mutate(agent.id) : setAsking("rotate"))}>{asking === "rotate" ? t("common:action.confirm") : t("rotate")}</Menu.Item>
          )}
          {agent.state !== "revoked" && (
            <Menu.Item color="red" onClick={() => (asking === "revoke" ? revoke.mutate(agent.id) : setAsking("revoke"))}>{asking === "revoke" ? t("common:action.confirm") : t("revoke")}</Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

function CodePanel({ code, onDone }: { code: AgentWithCode; onDone: () => void }) {
  const { t } = useTranslation(["devices", "common"]);
  return (
    <Panel title={t("code_for", { agent: code.agent.code })} actions={<Button size="xs" variant="default" onClick={onDone}>{t("common:action.done")}</Button>}>
      <div className={classes.code}>
        <code>{code.enrol_code}</code>
        <CopyButton value={code.enrol_code}>
          {({ copied, copy }) => (
            <Button size="xs" variant="light" onClick={copy}>
              {copied ? t("common:action.copied") : t("common:action.copy")}
            </Button>
          )}
        </CopyButton>
        <span className="soft">{t("code_once")} <Time at={code.expires_at} /></span>
      </div>
    </Panel>
  );
}

function SecretPanel({ secret, onDone }: { secret: AgentSecret; onDone: () => void }) {
  const { t } = useTranslation(["devices", "common"]);
  return (
    <Panel title={t("secret_for", { agent: secret.agent })} actions={<Button size="xs" variant="default" onClick={onDone}>{t("common:action.done")}</Button>}>
      <Facts
        facts={[
          [t("secret"), <code key="s" className="mono">{secret.secret}</code>],
          [t("mqtt_url"), <code key="u" className="mono">{secret.mqtt_url}</code>],
          [t("mqtt_user"), <code key="n" className="mono">{secret.mqtt_username}</code>],
        ]}
      />
      <span className="soft">{t("secret_once")}</span>
    </Panel>
  );
}

function DeviceDialog({ agent, onClose }: { agent: Agent; onClose: () => void }) {
  const { t } = useTranslation(["devices", "common"]);
  const word = useWord();
  const places = useList(placesQuery());
  const create = useCommand(newDevice, { changes: ["devices"] });
  return (
    <FormDialog
      title={`${agent.code}: ${t("add_device")}`}
      opened
      onClose={onClose}
      command={create}
      fields={[
        { name: "code", label: t("common:field.code"), hint: t("device_code_hint"), required: true, half: true },
        { name: "kind", label: t("common:field.kind"), kind: "select", required: true, half: true, initial: "llrp_reader", options: KINDS.map((value) => ({ value, label: word("devices:kind", value) })) },
        { name: "name", label: t("common:field.name"), half: true },
        { name: "place_id", label: t("common:field.place"), kind: "select", half: true, options: (places.data ?? []).filter((place) => place.is_physical).map((place) => ({ value: place.id, label: place.code })) },
        { name: "purpose", label: t("purpose_label"), hint: t("purpose_hint"), kind: "select", required: true, half: true, initial: "both", options: (["inbound", "outbound", "both", "none"] as const).map((value) => ({ value, label: t(`purpose.${value}`) })) },
      ]}
      toInput={(values) => ({ agent_id: agent.id, code: text(values["code"]), kind: text(values["kind"]), name: text(values["name"]), place_id: orNull(values["place_id"]), purpose: text(values["purpose"]) as "both", limits: [] })}
      submit={t("common:action.create")}
      done={t("common:action.saved")}
    />
  );
}
