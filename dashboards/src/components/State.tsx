// A state is a shape and a colour and a word, so that none of the three is needed alone.
import { useTranslation } from "react-i18next";
import classes from "./State.module.css";

export type Tone = "ok" | "busy" | "wait" | "warn" | "bad" | "off";

/** What each word of the backend looks like. A word that is not here shows as "wait" and by its own name. */
export const TONES: Record<string, Tone> = {
  ok: "ok", online: "ok", up: "ok", active: "ok", available: "ok", done: "ok", posted: "ok", delivered: "ok", resolved: "ok", closed: "ok",
  completed: "ok", received: "ok", shipped: "ok", departed: "ok", approved: "ok", confirmed: "ok", picked: "ok", packed: "ok", loaded: "ok",
  placed: "ok", ordered: "ok", succeeded: "ok", matched: "ok", connected: "ok", put_away: "ok", acknowledged: "ok", enrolled: "ok", sent: "ok",
  sending: "busy", in_progress: "busy", running: "busy", receiving: "busy", picking: "busy", packing: "busy", loading: "busy", claimed: "busy",
  posting: "busy", open: "busy", started: "busy", counting: "busy", allocated: "busy", dispatched: "busy", in_transit: "busy", partly: "busy",
  released: "busy", submitted: "busy",
  waiting: "wait", pending: "wait", to_post: "wait", expected: "wait", new: "wait", planned: "wait", queued: "wait", draft: "wait", unknown: "wait",
  suggested: "wait", created: "wait",
  late: "warn", stale: "warn", short: "warn", over: "warn", damaged: "warn", retrying: "warn", recount: "warn", silent: "warn", degraded: "warn",
  backordered: "warn", partly_allocated: "warn", waiting_for_stock: "warn", quarantine: "warn", replaced: "warn", warning: "warn", expired: "warn",
  needs_approval: "warn", awaiting_approval: "warn", best_effort: "warn",
  failed: "bad", parked: "bad", refused: "bad", offline: "bad", down: "bad", error: "bad", revoked: "bad", missing: "bad", critical: "bad", lost: "bad",
  dead: "bad", unreachable: "bad",
  cancelled: "off", nothing: "off", inactive: "off", discarded: "off", decommissioned: "off", rejected: "off", off: "off", skipped: "off", gone: "off",
  paused: "off", none: "off",
};

export function Shape({ tone, size = 12 }: { tone: Tone; size?: number }) {
  const color = `var(--tone-${tone === "off" ? "wait" : tone})`;
  return (
    <svg width={size} height={size} viewBox="0 0 12 12" aria-hidden className={classes.shape}>
      {tone === "ok" && <circle cx="6" cy="6" r="5" fill={color} />}
      {tone === "busy" && (
        <>
          <circle cx="6" cy="6" r="4.4" fill="none" stroke={color} strokeWidth="1.6" />
          <path d="M6 1.6 A4.4 4.4 0 0 1 6 10.4 Z" fill={color} />
        </>
      )}
      {tone === "wait" && <circle cx="6" cy="6" r="4.2" fill="none" stroke={color} strokeWidth="1.6" />}
      {tone === "warn" && <path d="M6 0.8 L11.6 10.8 H0.4 Z" fill={color} />}
      {tone === "bad" && <path d="M3.7 0.6 H8.3 L11.4 3.7 V8.3 L8.3 11.4 H3.7 L0.6 8.3 V3.7 Z" fill={color} />}
      {tone === "off" && <rect x="1" y="5" width="10" height="2" rx="1" fill={color} />}
    </svg>
  );
}

export function useWord(): (group: string, value: string | null | undefined) => string {
  const { t, i18n } = useTranslation();
  return (group, value) => {
    if (!value) return "–";
    const key = `${group}.${value}`;
    return i18n.exists(key) ? t(key as "state.ok") : value.replaceAll("_", " ");
  };
}

export interface StateProps {
  value: string | null | undefined;
  tone?: Tone;
  /** Namespace key prefix of the word, "state" unless told. */
  group?: string;
  label?: string;
  plain?: boolean;
}

export function State({ value, tone, group = "state", label, plain = false }: StateProps) {
  const word = useWord();
  if (!value) return <span className="soft">–</span>;
  const shown = tone ?? TONES[value] ?? "wait";
  return (
    <span className={classes.state} data-tone={shown} data-plain={plain || undefined}>
      <Shape tone={shown} size={10} />
      {label ?? word(group, value)}
    </span>
  );
}
