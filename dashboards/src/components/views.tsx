// What a view shows when it has nothing, waits, fails or is old. LiveView chooses; every view of data goes through it.
import { Button, Skeleton } from "@mantine/core";
import { IconPlugConnectedX, IconRefresh } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Problem, UNREACHABLE, UNREADABLE } from "@/api/problem";
import { useLiveState } from "@/live";
import { Shape, type Tone } from "./State";
import { useAge } from "./Time";
import classes from "./views.module.css";

export function EmptyState({ title, next, action, tone = "wait" }: { title: string; next?: ReactNode; action?: { label: string; to?: string; onClick?: () => void }; tone?: Tone }) {
  return (
    <div className={classes.empty}>
      <Shape tone={tone} size={22} />
      <strong>{title}</strong>
      {next && <div className={classes.next}>{next}</div>}
      {action?.to && (
        <Button component={Link} to={action.to} variant="light" size="xs">
          {action.label}
        </Button>
      )}
      {action?.onClick && (
        <Button onClick={action.onClick} variant="light" size="xs">
          {action.label}
        </Button>
      )}
    </div>
  );
}

/** Title and sentence of a problem, in the person's language where we know the kind. */
export function useProblemText(): (problem: unknown) => { title: string; detail: string } {
  const { t, i18n } = useTranslation();
  return (error) => {
    if (!(error instanceof Problem)) return { title: t("problem.unexpected"), detail: error instanceof Error ? error.message : String(error) };
    if (error.body.type === UNREACHABLE) return { title: t("problem.unreachable"), detail: t("problem.unreachable_next") };
    if (error.body.type === UNREADABLE) return { title: t("problem.unreadable", { status: error.status }), detail: error.body.detail ?? t("problem.unreadable_next") };
    const kind = `problem.kind.${error.body.type.split("/").pop() ?? ""}`;
    return { title: i18n.exists(kind) ? t(kind as "problem.unexpected") : error.body.title, detail: error.body.detail ?? "" };
  };
}

export function ErrorState({ error, retry, compact = false }: { error: unknown; retry?: () => void; compact?: boolean }) {
  const { t } = useTranslation();
  const { title, detail } = useProblemText()(error);
  return (
    <div className={classes.error} role="alert" data-compact={compact || undefined}>
      <Shape tone="bad" size={compact ? 14 : 20} />
      <div>
        <strong>{title}</strong>
        {detail && <div className={classes.next}>{detail}</div>}
      </div>
      {retry && (
        <Button variant="default" size="xs" leftSection={<IconRefresh size={14} />} onClick={retry}>
          {t("action.retry")}
        </Button>
      )}
    </div>
  );
}

/** Shown above old data: the data stays readable, its age is said. */
export function Stale({ since, retry }: { since: number | null; retry?: () => void }) {
  const { t } = useTranslation();
  const age = useAge(since === null ? null : new Date(since).toISOString());
  return (
    <div className={classes.stale} role="status">
      <IconPlugConnectedX size={15} stroke={1.8} aria-hidden />
      <span>{t("live.stale", { age })}</span>
      {retry && (
        <button type="button" onClick={retry}>
          {t("action.refresh")}
        </button>
      )}
    </div>
  );
}

export function LoadingRows({ rows = 8 }: { rows?: number }) {
  const { t } = useTranslation();
  return (
    <div className={classes.loading} aria-label={t("live.loading")} role="status">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={14} width={`${92 - ((row * 17) % 38)}%`} radius="sm" />
      ))}
    </div>
  );
}

export interface Answered<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  dataUpdatedAt: number;
  refetch: () => unknown;
}

export interface LiveViewProps<T> {
  query: Answered<T>;
  /** Said instead of the content when there is none. */
  empty?: (data: T) => ReactNode | false;
  loading?: ReactNode;
  children: (data: T) => ReactNode;
}

export function LiveView<T>({ query, empty, loading, children }: LiveViewProps<T>) {
  const live = useLiveState();
  const retry = () => void query.refetch();
  if (query.data === undefined) {
    return query.error ? <ErrorState error={query.error} retry={retry} /> : (loading ?? <LoadingRows />);
  }
  const old = query.error ? query.dataUpdatedAt : live.status === "lost" ? Math.max(query.dataUpdatedAt, live.lastSeen ?? 0) : null;
  const nothing = empty?.(query.data);
  return (
    <>
      {old !== null && <Stale since={old} retry={retry} />}
      {nothing ? nothing : children(query.data)}
    </>
  );
}
