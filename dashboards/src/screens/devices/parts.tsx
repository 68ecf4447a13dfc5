// Small readings of a device: what it measures now, its antennas, its clock.
import { useTranslation } from "react-i18next";
import { Quantity, useReading } from "@/components/Quantity";
import { Shape } from "@/components/State";
import type { Device } from "@/data/devices";
import classes from "./parts.module.css";

export function Readings({ device }: { device: Device }) {
  const reading = useReading();
  if (device.channels.length > 0) {
    return (
      <span className={classes.readings}>
        {device.channels.map((channel) => (
          <span key={channel.channel} title={channel.channel} data-out={channel.out_of_range || undefined}>
            {channel.out_of_range && <Shape tone="bad" size={9} />} {reading(channel.channel, channel.value, channel.unit)}
          </span>
        ))}
      </span>
    );
  }
  return <Quantity value={device.readings_per_s.toFixed(1)} unit="reads_s" />;
}

export function Antennas({ antennas }: { antennas: Device["antennas"] }) {
  const { t } = useTranslation("devices");
  const all = Object.entries(antennas);
  if (all.length === 0) return <span className="soft">–</span>;
  return (
    <span className={classes.antennas}>
      {all.map(([number, state]) => (
        <span key={number} title={t(state === "connected" ? "antenna_good" : "antenna_bad", { number })}>
          <Shape tone={state === "connected" ? "ok" : "bad"} size={9} />
          {number}
        </span>
      ))}
    </span>
  );
}

export function ClockOffset({ seconds }: { seconds: number | null }) {
  if (seconds === null) return <span className="soft">–</span>;
  const wrong = Math.abs(seconds) > 5;
  const text = Math.abs(seconds) < 1 ? `${Math.round(seconds * 1000)} ms` : Math.abs(seconds) < 86_400 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 86_400)} d`;
  return <span style={wrong ? { color: "var(--tone-warn-ink)", fontWeight: 560 } : undefined}>{seconds > 0 ? `+${text}` : text.replace("-", "−")}</span>;
}
