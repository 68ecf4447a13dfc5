// The frame of a screen: what it is, what can be done, and the content below. Panel groups what belongs together.
import type { ReactNode } from "react";
import { useEffect } from "react";
import { Link } from "react-router";
import { IconChevronRight } from "@tabler/icons-react";
import classes from "./Page.module.css";

export interface Crumb {
  label: string;
  to: string;
}

export interface PageProps {
  title: ReactNode;
  /** For the browser tab, where `title` is not a plain text. */
  name?: string;
  crumbs?: Crumb[];
  lead?: ReactNode;
  actions?: ReactNode;
  toolbar?: ReactNode;
  children: ReactNode;
  full?: boolean;
}

export function Page({ title, name, crumbs = [], lead, actions, toolbar, children, full = false }: PageProps) {
  const tab = name ?? (typeof title === "string" ? title : undefined);
  useEffect(() => {
    if (tab) document.title = `${tab} · Stowage`;
  }, [tab]);
  return (
    <section className={classes.page} data-full={full || undefined}>
      <header className={classes.head}>
        <div className={classes.titles}>
          {crumbs.length > 0 && (
            <nav className={classes.crumbs}>
              {crumbs.map((crumb) => (
                <span key={crumb.to} className={classes.crumb}>
                  <Link to={crumb.to}>{crumb.label}</Link>
                  <IconChevronRight size={13} stroke={1.6} aria-hidden />
                </span>
              ))}
            </nav>
          )}
          <h1 className={classes.title}>{title}</h1>
          {lead && <div className={classes.lead}>{lead}</div>}
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </header>
      {toolbar && <div className={classes.toolbar}>{toolbar}</div>}
      {children}
    </section>
  );
}

export function Panel({ title, actions, children, flush = false }: { title?: ReactNode; actions?: ReactNode; children: ReactNode; flush?: boolean }) {
  return (
    <section className={classes.panel}>
      {(title || actions) && (
        <header className={classes.panelHead}>
          <h2>{title}</h2>
          <div className={classes.actions}>{actions}</div>
        </header>
      )}
      <div className={flush ? undefined : classes.panelBody}>{children}</div>
    </section>
  );
}

export function Columns({ children, ratio = "2fr 1fr" }: { children: ReactNode; ratio?: string }) {
  return (
    <div className={classes.columns} style={{ "--ratio": ratio } as React.CSSProperties}>
      {children}
    </div>
  );
}

export function Stack({ children }: { children: ReactNode }) {
  return <div className={classes.stack}>{children}</div>;
}
