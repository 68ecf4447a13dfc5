// A chart over time with axes, units and gaps where data is missing: a null is never bridged by a line.
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useZone } from "@/data/site";
import { shortTime } from "./times";
import classes from "./Chart.module.css";

export interface Series {
  label: string;
  unit: string;
  tone?: "accent" | "ok" | "warn" | "bad" | "wait";
  values: (number | null)[];
  /** "step" holds a value until the next one, as stock does. */
  shape?: "line" | "step" | "bars";
  fill?: boolean;
}

export interface ChartProps {
  /** Seconds since 1970, ascending. */
  times: number[];
  series: Series[];
  height?: number;
  label: string;
  /** Horizontal lines a person should know: a limit, a reorder point. */
  marks?: { value: number; label: string; tone: "warn" | "bad" | "wait" }[];
  zero?: boolean;
  /** The times are calendar days (midnight UTC): the axis shows days only. */
  dates?: boolean;
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const toneVariable = (tone: Series["tone"] = "accent") => (tone === "accent" ? "--accent" : `--tone-${tone}`);

export function Chart({ times, series, height = 220, label, marks = [], zero = false, dates = false }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const { t, i18n } = useTranslation();
  const siteZone = useZone();
  const zone = dates ? "UTC" : siteZone;
  const scheme = useComputedColorScheme("light");

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const ink = token("--ink-soft");
    const line = token("--line");
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const unit = series[0]?.unit ?? "";
    const drawMarks = (plot: uPlot) => {
      const context = plot.ctx;
      for (const mark of marks) {
        const y = Math.round(plot.valToPos(mark.value, "y", true));
        if (y < plot.bbox.top || y > plot.bbox.top + plot.bbox.height) continue;
        context.save();
        context.strokeStyle = token(`--tone-${mark.tone}`);
        context.fillStyle = token(`--tone-${mark.tone}-ink`);
        context.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
        context.beginPath();
        context.moveTo(plot.bbox.left, y);
        context.lineTo(plot.bbox.left + plot.bbox.width, y);
        context.stroke();
        context.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
        context.textAlign = "left";
        context.fillText(mark.label, plot.bbox.left + 6 * devicePixelRatio, y - 5 * devicePixelRatio);
        context.restore();
      }
    };
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height,
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
        cursor: { points: { size: 7 }, y: false },
        legend: { live: true },
        scales: {
          y: {
            range: (_, low, high) => {
              const values = [low ?? 0, high ?? 1, ...marks.map((mark) => mark.value)];
              const min = zero ? Math.min(0, ...values) : Math.min(...values);
              const max = Math.max(...values);
              const pad = (max - min || Math.abs(max) || 1) * 0.08;
              return [zero && min >= 0 ? 0 : min - pad, max + pad];
            },
          },
        },
        axes: [
          {
            stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 5 }, space: 78, size: 34,
            ...(dates ? { incrs: [1, 2, 7, 14, 30, 90].map((days) => days * 86_400) } : {}),
            values: (_, splits, _axis, _space, step) => splits.map((seconds) => tickText(seconds, step, i18n.language, zone)),
          },
          {
            stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 58, label: unit, labelFont: font, labelSize: 18,
            values: (_, splits) => splits.map((value) => value.toLocaleString("en")),
          },
        ],
        series: [
          {
            label: t("field.when"),
            value: (_, seconds) =>
              seconds === null || seconds === undefined ? "–" : dates
                ? new Intl.DateTimeFormat(i18n.language.startsWith("zh") ? "zh-CN" : "en-GB", { timeZone: zone, day: "numeric", month: "short" }).format(seconds * 1000)
                : shortTime(new Date(seconds * 1000), new Date(), i18n.language, zone),
          },
          ...series.map((one): uPlot.Series => {
            const color = token(toneVariable(one.tone));
            return {
              label: one.label,
              stroke: color,
              width: one.tone === "wait" ? 1 : 1.8,
              fill: one.fill || one.shape === "bars" ? `${color}26` : undefined,
              spanGaps: false,
              points: { show: one.shape !== "bars" && one.values.filter((value) => value !== null).length < 30, size: 5 },
              paths: one.shape === "step" ? uPlot.paths.stepped?.({ align: 1 }) : one.shape === "bars" ? uPlot.paths.bars?.({ size: [0.7, 28] }) : undefined,
              value: (_, value) => (value === null || value === undefined ? "–" : `${value.toLocaleString("en", { maximumFractionDigits: 2 })} ${one.unit}`),
            };
          }),
        ],
        hooks: { draw: [drawMarks] },
      },
      [times, ...series.map((one) => one.values)],
      element,
    );
    const follow = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    follow.observe(element);
    return () => {
      follow.disconnect();
      plot.destroy();
    };
  }, [times, series, height, marks, zero, dates, zone, scheme, i18n.language, t]);

  return <div ref={box} className={classes.chart} role="img" aria-label={label} style={{ minHeight: height }} />;
}

/** Days as "22 Nov", hours as "14:00", seconds only where they matter. */
function tickText(seconds: number, step: number, language: string, zone: string): string {
  const locale = language.startsWith("zh") ? "zh-CN" : "en-GB";
  const options: Intl.DateTimeFormatOptions =
    step >= 86_400 ? { day: "numeric", month: "short" } : step >= 60 ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  return new Intl.DateTimeFormat(locale, { ...options, timeZone: zone }).format(seconds * 1000);
}

/** A word-sized line; a null leaves a gap. */
export function Sparkline({ values, width = 96, height = 22, label }: { values: (number | null)[]; width?: number; height?: number; label: string }) {
  const known = values.filter((value): value is number => value !== null);
  if (known.length === 0) return <span className="soft">–</span>;
  const top = Math.max(...known, 1e-9);
  const step = width / Math.max(1, values.length - 1);
  const pieces: string[] = [];
  let drawing = false;
  values.forEach((value, index) => {
    if (value === null) {
      drawing = false;
      return;
    }
    pieces.push(`${drawing ? "L" : "M"}${(index * step).toFixed(1)} ${(height - 2 - (value / top) * (height - 4)).toFixed(1)}`);
    drawing = true;
  });
  return (
    <svg width={width} height={height} role="img" aria-label={label} className={classes.spark}>
      <line x1="0" x2={width} y1={height - 1.5} y2={height - 1.5} stroke="var(--line)" />
      <path d={pieces.join("")} fill="none" stroke="var(--accent)" strokeWidth="1.5" strokeLinejoin="round" strokeLinecap="round" />
    </svg>
  );
}
