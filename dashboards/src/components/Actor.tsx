// Who did it: a person, a device or the system itself, written "kind:name" in the ledger.
import { IconAntenna, IconRobot, IconUser } from "@tabler/icons-react";

export function Actor({ actor }: { actor: string | null | undefined }) {
  if (!actor) return <span className="soft">–</span>;
  const [kind = "", ...rest] = actor.split(":");
  const name = rest.length > 0 ? rest.join(":") : actor;
  const Icon = kind === "user" ? IconUser : kind === "agent" || kind === "device" ? IconAntenna : IconRobot;
  return (
    <span className="nowrap" title={actor}>
      <Icon size={13} stroke={1.7} aria-hidden style={{ verticalAlign: -2, marginRight: 4, color: "var(--ink-soft)" }} />
      {name}
    </span>
  );
}
