// What a person tells this device to do, and what became of the last times.
import { Button, Group } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { Confirm } from "@/components/Confirm";
import { DataTable } from "@/components/DataTable";
import { Panel } from "@/components/Page";
import { State } from "@/components/State";
import { Time } from "@/components/Time";
import { EmptyState, ErrorState } from "@/components/views";
import { commandDevice, type CommandName, type DeviceDetail } from "@/data/devices";

export function Commands({ detail: { device, knows, commands } }: { detail: DeviceDetail }) {
  const { t } = useTranslation(["devices", "common"]);
  const may = useMay();
  const tell = useCommand(commandDevice, { changes: ["devices"] });
  const why = !device.active ? t("command.not_in_use") : !device.agent_online ? t("command.agent_away", { agent: device.agent }) : null;
  const button = (command: CommandName) => ({
    size: "xs", variant: "default", disabled: why !== null, loading: tell.isPending && tell.variables.command === command,
  });
  const say = (command: CommandName) => tell.mutate({ id: device.id, command });
  return (
    <Panel
      title={t("command.title")}
      flush
      actions={
        <Group gap="xs">
          {why && <span className="soft">{why}</span>}
          {may("worker", "lead", "integrator") &&
            knows.filter((command) => command !== "restart_device").map((command) => (
              <Button key={command} {...button(command)} onClick={() => say(command)}>
                {t(`command.name.${command}`)}
              </Button>
            ))}
          {may("lead", "integrator") && knows.includes("restart_device") && (
            <Confirm {...button("restart_device")} onConfirm={() => say("restart_device")}>
              {t("command.name.restart_device")}
            </Confirm>
          )}
        </Group>
      }
    >
      {tell.error && <ErrorState error={tell.error} compact />}
      {commands.length === 0 ? (
        <EmptyState title={t("command.none")} next={t("command.none_next")} />
      ) : (
        <DataTable
          label={t("command.title")}
          rows={commands}
          rowKey={(command) => command.id}
          columns={[
            { key: "state", header: t("common:field.state"), cell: (command) => <State value={command.state} /> },
            { key: "command", header: t("command.what"), grow: true, cell: (command) => t(`command.name.${command.command}`) },
            { key: "who", header: t("common:field.who"), cell: (command) => <Actor actor={command.asked_by} /> },
            { key: "asked", header: t("common:field.when"), cell: (command) => <Time at={command.asked_at} age /> },
            { key: "settled", header: t("command.settled"), cell: (command) => <Time at={command.settled_at} /> },
          ]}
        />
      )}
    </Panel>
  );
}
