// One step of a job: the instruction in large type, what is to be scanned, the target, and the answer over the whole screen.
import {
  IconAlertTriangle, IconArrowBackUp, IconBarcode, IconCheck, IconChevronLeft, IconCloudOff, IconKeyboard, IconMapPin, IconX,
} from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import i18next from "i18next";
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";
import { groupDigits } from "@/components/numbers";
import { useUnit } from "@/components/Quantity";
import { words } from "@/i18n/sentences";
import type { Job } from "./jobs";
import { Keypad } from "./Keypad";
import { Runtime, type Answer, type Outcome } from "./runtime";
import { useCatcher } from "./useCatcher";
import type { Choice, Expect, View } from "./view";
import { lastStep, undo } from "./work";
import classes from "./Handheld.module.css";

export function StepScreen({ job }: { job: Job }) {
  const { t } = useTranslation(["handheld", "common"]);
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const queries = useQueryClient();
  const [runtime] = useState(() =>
    new Runtime<unknown>(job.flow, {
      words: () => i18next.getFixedT(i18next.language, ["handheld", "common"]),
      leave: ({ go }: Outcome<unknown>) => void navigate(go ? `/handheld/${go.job}${go.code ? `?code=${encodeURIComponent(go.code)}` : ""}` : "/handheld"),
      done: () => void queries.invalidateQueries({ queryKey: ["handheld", "undo"] }),
    }),
  );
  const [first] = useState(params.get("code") ?? undefined);
  useEffect(() => {
    runtime.begin(first);
    return () => runtime.end();
  }, [runtime, first]);

  const { state, answer, waiting, cutOffSince } = useSyncExternalStore(runtime.subscribe, runtime.get);
  const step = useQuery({ queryKey: ["handheld", "undo"], queryFn: lastStep, staleTime: 2000, retry: false });
  const view = useMemo(() => (state === null ? null : job.flow.view(state, t)), [job, state, t]);

  const [entry, setEntry] = useState<{ text: string; choice: Choice<unknown> | null } | null>(null);
  const kind = entry?.choice?.keypad?.kind ?? view?.keypad ?? "code";
  const asksDate = view?.keypad === "date";
  const open = entry ?? (asksDate ? { text: "", choice: null } : null);

  const scan = useCallback((code: string) => {
    setEntry(null);
    runtime.scan(code);
  }, [runtime]);
  const enter = () => {
    if (!open?.text) return;
    if (open.choice) runtime.press(open.choice, open.text);
    else runtime.scan(open.text);
    setEntry(null);
  };
  useCatcher({
    onScan: scan,
    onTyped: (text) => setEntry((now) => ({ text: (now?.text ?? "") + text, choice: now?.choice ?? null })),
    onEnter: enter,
  });

  const every = view?.everyMs;
  useEffect(() => {
    if (!every) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible" && runtime.get().waiting === 0) runtime.refresh();
    }, every);
    return () => clearInterval(timer);
  }, [every, runtime]);

  const takeBack = () =>
    runtime.run(async (now, io) => {
      const done = await io.send(undo);
      const fresh = job.flow.refresh && now !== null ? await job.flow.refresh(now, io) : now;
      return { state: fresh, answer: { tone: "warn", title: t("handheld:undo.done"), detail: `${t(`handheld:step.${done.kind}` as "handheld:step.pick")}: ${words(done.label)}` } };
    });

  const press = (choice: Choice<unknown>) => {
    if (choice.keypad) setEntry({ text: "", choice });
    else runtime.press(choice);
  };

  return (
    <main className={classes.screen} data-testid="step" data-job={job.id} data-waiting={waiting} data-cut-off={cutOffSince !== null || undefined} onPointerDown={() => runtime.forgetAnswer()}>
      <header className={classes.bar}>
        <button type="button" onClick={() => void navigate("/handheld")} aria-label={t("handheld:home.title")} data-testid="home">
          <IconChevronLeft size={30} />
        </button>
        <h1>{t(`handheld:job.${job.id}`)}</h1>
        {waiting > 0 && <span className={classes.pending} data-testid="pending">{t("handheld:net.pending", { n: waiting })}</span>}
      </header>
      {cutOffSince !== null && (
        <div className={classes.cutOff} role="status" data-testid="cut-off">
          <IconCloudOff size={26} />
          <span>{t("handheld:net.cut_off", { count: waiting })}</span>
          <button type="button" onClick={() => runtime.giveUp()}>{t("handheld:net.give_up")}</button>
        </div>
      )}
      {view ? <Body view={view} answer={answer} onPress={press} /> : <div className={classes.body} />}
      <nav className={classes.bottom}>
        <button type="button" className={classes.undo} disabled={!step.data} onClick={takeBack} data-testid="undo">
          <IconArrowBackUp size={28} />
          <span>
            <strong>{t("handheld:undo.title")}</strong>
            <small>{step.data ? words(step.data.label) : t("handheld:undo.nothing")}</small>
          </span>
        </button>
        <button type="button" onClick={() => setEntry({ text: "", choice: null })} aria-label={t("handheld:keypad.title")} data-testid="keypad-open">
          <IconKeyboard size={30} />
        </button>
      </nav>
      {open && (
        <Keypad
          kind={kind} text={open.text} title={open.choice?.keypad?.title ?? (asksDate ? (view?.instruction ?? "") : t("handheld:keypad.code"))}
          onChange={(text) => setEntry({ text, choice: open.choice })} onDone={enter}
          onCancel={() => setEntry(null)}
        />
      )}
      {answer && <Flash key={answer.id} answer={answer} />}
    </main>
  );
}

function Body({ view, answer, onPress }: { view: View<unknown>; answer: (Answer & { id: number }) | null; onPress: (choice: Choice<unknown>) => void }) {
  const { t } = useTranslation("handheld");
  const unit = useUnit();
  const { target, amount, facts = [], choices = [], actions = [], list } = view;
  return (
    <>
      <div className={classes.body} data-scrolls={list ? true : undefined}>
        <p className={classes.instruction} data-testid="instruction">{unbroken(view.instruction)}</p>
        <Expected expect={view.expect} large={!target && choices.length < 3 && !list} />
        {target && (
          <div className={classes.target} data-tone={target.tone} data-size={target.small ? "md" : sizeOf(target.text)} data-small={target.small || undefined} data-testid="target">
            <strong>{target.text}</strong>
            {target.sub && target.sub !== target.text && <span>{target.sub}</span>}
          </div>
        )}
        {amount && (
          <div className={classes.amount} data-testid="amount">
            <strong>{groupDigits(amount.now)}</strong>
            {amount.of !== undefined && <span>/ {groupDigits(amount.of)}</span>}
            {amount.unit && <small>{unit(amount.unit)}</small>}
          </div>
        )}
        {answer && answer.tone !== "good" && answer.title !== view.instruction && (
          <div className={classes.verdict} data-tone={answer.tone} role="alert" data-testid="verdict">
            <strong>{answer.title}</strong>
            <Compared answer={answer} />
          </div>
        )}
        {facts.length > 0 && !(answer && answer.tone !== "good") && (
          <dl className={classes.facts}>
            {facts.map((fact) => (
              <div key={fact.label} data-tone={fact.tone}>
                <dt>{fact.label}</dt>
                <dd>{fact.value}</dd>
              </div>
            ))}
          </dl>
        )}
        {list?.map((part) => (
          <section key={part.title} className={classes.list}>
            <h2>{part.title}</h2>
            {part.rows.map((row, n) => (
              <div key={`${row.head}${n}`}>
                <span><b>{row.head}</b>{row.sub && <small>{row.sub}</small>}</span>
                <b>{row.tail}</b>
              </div>
            ))}
          </section>
        ))}
        {choices.length > 0 && (
          <div className={classes.choices} data-grid={view.grid || (choices.length > 2 && choices.every((choice) => !choice.sub)) || undefined}>
            {choices.map((choice) => (
              <button key={choice.id} type="button" data-testid={`choice-${choice.id}`} className={choice.strong ? classes.strong : undefined} onClick={() => onPress(choice)}>
                <strong>{choice.label}</strong>
                {choice.sub && <small>{choice.sub}</small>}
              </button>
            ))}
          </div>
        )}
      </div>
      {actions.length > 0 && (
        <div className={classes.actions} aria-label={t("action.title")}>
          {actions.map((action) => (
            <button key={action.id} type="button" data-testid={`action-${action.id}`} className={action.strong ? classes.strong : undefined} disabled={action.disabled} onClick={() => onPress(action)}>
              <strong>{action.label}</strong>
              {action.sub && <small>{action.sub}</small>}
            </button>
          ))}
        </div>
      )}
    </>
  );
}

function Expected({ expect, large }: { expect: Expect; large: boolean }) {
  const { t } = useTranslation("handheld");
  if (expect === "nothing") return null;
  const Mark = expect === "place" || expect === "door" ? IconMapPin : expect === "number" ? IconKeyboard : IconBarcode;
  return (
    <p className={classes.expect} data-testid="expect" data-expect={expect} data-large={large || undefined}>
      <Mark size={large ? 96 : 22} stroke={large ? 1.4 : 2} />
      {t(`expect.${expect}`)}
    </p>
  );
}

function Compared({ answer }: { answer: Answer }) {
  const { t } = useTranslation("handheld");
  return (
    <>
      {(answer.expected || answer.seen) && (
        <dl className={classes.compared}>
          {answer.expected && <div><dt>{t("answer.expected")}</dt><dd data-testid="expected" data-long={answer.expected.length > 14 || undefined}>{answer.expected}</dd></div>}
          {answer.seen && <div><dt>{t("answer.seen")}</dt><dd data-testid="seen" data-long={answer.seen.length > 14 || undefined}>{answer.seen}</dd></div>}
        </dl>
      )}
      {answer.detail && <p>{answer.detail}</p>}
    </>
  );
}

/** The answer over the whole screen. It goes by itself; the next scan does not wait for it. */
function Flash({ answer }: { answer: Answer }) {
  const Mark = answer.tone === "good" ? IconCheck : answer.tone === "bad" ? IconX : IconAlertTriangle;
  return (
    <div className={classes.flash} data-tone={answer.tone} data-testid="answer" aria-live="assertive">
      <Mark size={120} stroke={2.6} />
      <strong>{answer.title}</strong>
      {answer.tone === "good" ? answer.detail && <p>{answer.detail}</p> : <Compared answer={answer} />}
    </div>
  );
}

/** A place or tote stays on one line: A-01-1 is never broken at its hyphens. */
const unbroken = (text: string) => text.replace(/(?<=\w)-(?=\w)/g, "\u2011");

function sizeOf(text: string): "xl" | "lg" | "md" | "sm" {
  return text.length <= 8 ? "xl" : text.length <= 12 ? "lg" : text.length <= 20 ? "md" : "sm";
}
