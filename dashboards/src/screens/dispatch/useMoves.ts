// Moving a stop: pick it up (every slot of the day is asked for), go over slots, put it down. What is seen changes at once;
// the backend's answer is the truth and replaces it; a refusal puts everything back and says why.
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { asProblem, type Problem } from "@/api/problem";
import { askAgain, boardQuery, moveStop, redraw, slotsOf, takeOff, type Board, type Job, type Slot } from "@/data/dispatch";
import { clashesOf, isSamePlace, moved, placeOf, settled, tableOf, takenOff, verdictOf, type Clash, type Target } from "./moves";
import { useMeasures } from "./measures";
import { othersBroken } from "./SlotWords";
import { stage, type Moving } from "./stage";

/** Why a drop waits for a word, or did not happen. */
export type Verdict =
  | { kind: "sure"; job: Job; target: Target; reasons: string[] }
  | { kind: "refused"; job: Job; reasons: string[] }
  | { kind: "clash"; job: Job; clashes: Clash[]; detail: string };

export interface Moves {
  pickUp: (job: Job, by: Moving["by"]) => void;
  putDown: () => void;
  letGo: () => void;
  place: (job: Job, target: Target, slot?: Slot | null, anyway?: boolean) => Promise<void>;
  toTray: (job: Job) => Promise<void>;
  forget: () => void;
}

/** The moves stay the same while a verdict comes and goes, so that nothing else is drawn again for it. */
export function useMoves(day: string): [Moves, Verdict | null] {
  const { t } = useTranslation("dispatch");
  const { minutes } = useMeasures();
  const queries = useQueryClient();
  const { mutateAsync: send } = useCommand(moveStop);
  const { mutateAsync: sendOff } = useCommand(takeOff);
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const board = useCallback(() => queries.getQueryData<Board>(boardQuery(day).queryKey), [queries, day]);

  const clash = useCallback(
    async (job: Job, before: Board | undefined, problem: Problem) => {
      if (before) await redraw(queries, day, () => before);
      await askAgain(queries, day);
      const after = board();
      setVerdict({ kind: "clash", job, detail: problem.message, clashes: before && after ? clashesOf(before, after) : [] });
    },
    [queries, day, board],
  );

  const place = useCallback(
    async (job: Job, target: Target, slot?: Slot | null, anyway = false) => {
      const now = board();
      const route = now?.routes.find((one) => one.id === target.routeId);
      if (!now || !route || isSamePlace(now, job.id, target)) return;
      if (!anyway && slot) {
        const reasons = [...slot.late.map((late) => t("slot.late", { who: late.customer_name, n: minutes(late.seconds) })), ...othersBroken(slot)];
        if (verdictOf(slot) === "forbidden") return setVerdict({ kind: "refused", job, reasons });
        if (slot.violations.length > 0) return setVerdict({ kind: "sure", job, target, reasons });
      }
      setVerdict(null);
      const from = placeOf(now, job.id)?.route ?? null;
      stage.show(target.routeId, job.id);
      const before = await redraw(queries, day, (seen) => moved(seen, job, target, slot ?? undefined));
      try {
        const answer = await send({
          job_id: job.id, route_id: target.routeId, position: target.position, version: route.version,
          from_version: from && from.id !== route.id ? from.version : null, anyway,
        });
        await redraw(queries, day, (seen) => settled(seen, answer.routes, answer.job));
      } catch (error) {
        const problem = asProblem(error);
        if (problem.status === 409 && problem.body.type.endsWith("changed-meanwhile")) return clash(job, before, problem);
        if (before) await redraw(queries, day, () => before);
        void askAgain(queries, day);
        const broken = (problem.body["violations"] ?? []) as { detail: string; allowed_anyway: boolean }[];
        const reasons = broken.length > 0 ? broken.map((one) => one.detail) : [problem.message];
        if (problem.status === 422 && broken.length > 0 && broken.every((one) => one.allowed_anyway)) setVerdict({ kind: "sure", job, target, reasons });
        else setVerdict({ kind: "refused", job, reasons });
      }
    },
    [board, queries, day, send, clash, t, minutes],
  );

  const toTray = useCallback(
    async (job: Job) => {
      const now = board();
      const from = now && placeOf(now, job.id);
      if (!from) return;
      setVerdict(null);
      const before = await redraw(queries, day, (seen) => takenOff(seen, job));
      try {
        const answer = await sendOff({ route_id: from.route.id, stop_id: from.stop.id, version: from.route.version });
        await redraw(queries, day, (seen) => settled(seen, answer.routes, answer.job));
      } catch (error) {
        const problem = asProblem(error);
        if (problem.status === 409 && problem.body.type.endsWith("changed-meanwhile")) return clash(job, before, problem);
        if (before) await redraw(queries, day, () => before);
        setVerdict({ kind: "refused", job, reasons: [problem.message] });
      }
    },
    [board, queries, day, sendOff, clash],
  );

  const pickUp = useCallback(
    (job: Job, by: Moving["by"]) => {
      const now = board();
      const from = now ? placeOf(now, job.id) : null;
      setVerdict(null);
      const over = by === "keyboard" && from ? { routeId: from.route.id, position: from.route.stops.indexOf(from.stop) + 1 } : null;
      stage.become({ nearJobId: null, moving: { job, by, from: from && { routeId: from.route.id, stopId: from.stop.id }, slots: null, problem: null, over } });
      slotsOf(job.id, day).then(
        (answer) => {
          const { moving } = stage.get();
          if (moving?.job.id === job.id) stage.become({ moving: { ...moving, slots: { answer, table: tableOf(answer.slots) } } });
        },
        (problem: unknown) => {
          const { moving } = stage.get();
          if (moving?.job.id === job.id) stage.become({ moving: { ...moving, problem } });
        },
      );
    },
    [board, day],
  );

  const letGo = useCallback(() => stage.become({ moving: null }), []);
  const putDown = useCallback(() => {
    const { moving } = stage.get();
    stage.become({ moving: null });
    if (!moving?.over) return;
    if (moving.over === "tray") {
      if (moving.from) void toTray(moving.job);
      return;
    }
    const slot = moving.slots?.table.get(moving.over.routeId)?.get(moving.over.position) ?? null;
    if (moving.slots && !slot) return void notifications.show({ message: t("no_slot_there"), color: "orange" });
    void place(moving.job, moving.over, slot);
  }, [place, toTray, t]);

  const forget = useCallback(() => setVerdict(null), []);
  const moves = useMemo(() => ({ pickUp, putDown, letGo, place, toTray, forget }), [pickUp, putDown, letGo, place, toTray, forget]);
  return [moves, verdict];
}
