// Small ways to show facts: a list of name and value, a figure that is a link to what it is made of, a line of time.
import type { ReactNode } from "react";
import { Link } from "react-router";
import { Shape, type Tone } from "./State";
import { capital } from "./words";
import classes from "./facts.module.css";

export function Facts({ facts }: { facts: (readonly [label: string, value: ReactNode] | false | null | undefined)[] }) {
  return (
    <dl className={classes.facts}>
      {facts.map(
        (fact) =>
          fact && (
            <div key={fact[0]}>
              <dt>{capital(fact[0])}</dt>
              <dd>{fact[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

export function Figures({ children }: { children: ReactNode }) {
  return <div className={classes.figures}>{children}</div>;
}

export function Figure({ label, children, note, to, tone }: { label: string; children: ReactNode; note?: ReactNode; to?: string; tone?: Tone }) {
  const body = (
    <>
      <span className={classes.figureLabel}>
        {tone && <Shape tone={tone} size={10} />}
        {capital(label)}
      </span>
      <span className={classes.figureValue}>{children}</span>
      {note && <span className={classes.figureNote}>{note}</span>}
    </>
  );
  return to ? (
    <Link to={to} className={classes.figure}>
      {body}
    </Link>
  ) : (
    <div className={classes.figure}>{body}</div>
  );
}

export interface Moment {
  key: string;
  tone: Tone;
  when: ReactNode;
  title: ReactNode;
  detail?: ReactNode;
}

export function Timeline({ moments }: { moments: Moment[] }) {
  return (
    <ol className={classes.timeline}>
      {moments.map((moment) => (
        <li key={moment.key}>
          <span className={classes.dot}>
            <Shape tone={moment.tone} size={12} />
          </span>
          <div className={classes.when}>{moment.when}</div>
          <div className={classes.what}>
            <div>{moment.title}</div>
            {moment.detail && <div className={classes.detail}>{moment.detail}</div>}
          </div>
        </li>
      ))}
    </ol>
  );
}

/** A bar for a share of a whole; the words stand beside it. */
export function Bar({ part, whole, tone = "busy", label }: { part: number; whole: number; tone?: Tone; label?: string }) {
  const share = whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
  return (
    <span className={classes.bar} role="img" aria-label={label}>
      <span style={{ width: `${share * 100}%`, background: `var(--tone-${tone === "off" ? "wait" : tone})` }} />
    </span>
  );
}
