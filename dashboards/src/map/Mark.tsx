// A route's mark outside the map: the same shape and colour, with the stop's number in it where there is one.
import { memo } from "react";
import { cornersOf, type Look } from "./marks";

export const Mark = memo(function Mark({ look, text, size = 20, hollow = false }: { look: Look; text?: string | number; size?: number; hollow?: boolean }) {
  const colour = `var(${look.colour})`;
  const paint = { fill: hollow ? "var(--surface-raised)" : colour, stroke: colour, strokeWidth: hollow ? 0.16 : 0, strokeLinejoin: "round" } as const;
  return (
    <svg width={size} height={size} viewBox="-1.2 -1.2 2.4 2.4" aria-hidden style={{ flex: "none" }}>
      {look.shape === "circle" ? <circle r={1} {...paint} /> : <polygon points={cornersOf(look.shape).map((corner) => corner.join(",")).join(" ")} {...paint} />}
      {text !== undefined && (
        <text textAnchor="middle" y={0.34} fontSize={String(text).length > 2 ? 0.78 : 0.95} fontWeight={640} fill={hollow ? colour : "var(--route-ink)"}>
          {text}
        </text>
      )}
    </svg>
  );
});
