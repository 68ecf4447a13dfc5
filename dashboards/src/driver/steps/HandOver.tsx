// At the door: the goods, then who takes them; or why not. What was ticked and signed is kept on the phone while it is made.
import { IconCheck, IconChevronDown, IconChevronUp, IconMinus, IconPlus } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { compareDecimal, groupDigits, minus, plus } from "@/components/numbers";
import { Goods as GoodsSigns } from "@/components/Goods";
import { useUnit } from "@/components/Quantity";
import { capital } from "@/components/words";
import type { DriverCarton } from "@/data/driver";
import { useCatcher } from "@/handheld/useCatcher";
import { Verdict } from "../Answers";
import { CodeEntry } from "../CodeEntry";
import { forgetDraft, useDraft, type Draft } from "../draft";
import { aboard, anythingHanded, anythingKept, cartonOf, complete, KEEP_REASONS, keep, linesOf, REFUSE_REASONS, scan, stateOf, toggle, type HandOver, type KeepReason } from "../handover";
import type { Photo } from "../photo";
import { PhotoField } from "../PhotoField";
import { completed, type StopNow } from "../route";
import { shortSscc } from "../say";
import { Signature } from "../Signature";
import type { StepProps } from "./step";
import classes from "../Driver.module.css";

export function HandOverStep(props: StepProps & { stop: StopNow }) {
  const { stop, act, say } = props;
  const { t } = useTranslation("driver");
  const [draft, change] = useDraft(stop.id);
  const [photo, setPhoto] = useState<Photo | null>(null);
  const cartons = aboard(stop.job?.cartons ?? []);
  const { over } = draft;
  const setOver = (next: HandOver) => change({ over: next });

  const scanned = (code: string) => {
    if (draft.screen !== "goods") return;
    const found = cartonOf(completed(code, cartons), cartons);
    if (found) {
      setOver(scan(over, found.sscc));
      say({ tone: "good", title: t("answer.handed"), detail: shortSscc(found.sscc) });
      return;
    }
    const expected = cartons.filter((carton) => stateOf(carton, over) === "todo").slice(0, 3).map((carton) => shortSscc(carton.sscc)).join(", ");
    say({ tone: "bad", title: t("answer.not_here"), expected, seen: /\d{18}$/.test(code) ? shortSscc(code) : code });
  };
  useCatcher({ onScan: scanned });

  const finish = (what: () => void) => {
    what();
    forgetDraft(stop.id);
  };
  const base = () => ({ photo: photo ? { type: photo.type, base64: photo.data } : null, occurred_at: new Date().toISOString() });
  const deliver = () => finish(() => {
    act({
      kind: "deliver", stop_id: stop.id,
      body: { ...base(), receiver_name: draft.name.trim(), signature_svg: draft.signed?.svg ?? null, lines: linesOf(cartons, over), scanned: [...over.scanned], note: "" },
    });
    say({ tone: anythingKept(over) ? "warn" : "good", title: t(anythingKept(over) ? "answer.partly" : "answer.delivered"), detail: stop.job?.customer_name });
  });
  const fail = (outcome: "refused" | "nobody_there", reason: string) => finish(() => {
    act({ kind: "fail", stop_id: stop.id, body: { ...base(), outcome, reason } });
    say({ tone: "warn", title: t(outcome === "refused" ? "answer.refused" : "answer.nobody"), detail: stop.job?.customer_name });
  });

  switch (draft.screen) {
    case "goods":
      return <Goods {...props} cartons={cartons} draft={draft} change={change} onCode={scanned} />;
    case "sign":
      return <Sign {...props} draft={draft} change={change} photo={photo} setPhoto={setPhoto} onDone={deliver} />;
    case "refused":
    case "nobody_there":
      return <Failed key={draft.screen} outcome={draft.screen} photo={photo} setPhoto={setPhoto} onBack={() => change({ screen: "goods" })} onDone={fail} />;
  }
}

type Part = StepProps & { stop: StopNow; draft: Draft; change: (change: Partial<Draft>) => void };

/** What is being kept back of the parcel that is open. */
interface Keeping {
  sscc: string;
  reason: KeepReason | null;
  /** By the content's index; null: the whole carton. */
  pieces: Record<number, string> | null;
}

function Goods({ stop, cartons, draft, change, onCode, verdict }: Part & { cartons: DriverCarton[]; onCode: (code: string) => void }) {
  const { t } = useTranslation("driver");
  const { over } = draft;
  const [keeping, setKeeping] = useState<Keeping | null>(null);
  const job = stop.job;
  const done = complete(cartons, over);
  const setOver = (next: HandOver) => change({ over: next });
  const tickAll = () => setOver(cartons.reduce((sum, carton) => (stateOf(carton, sum) === "todo" ? toggle(sum, carton.sscc) : sum), over));
  const open = cartons.find((carton) => carton.sscc === keeping?.sscc);
  const keepIt = () => {
    if (open && keeping?.reason) setOver(keep(over, open, keeping.reason, keeping.pieces ?? undefined));
    setKeeping(null);
  };
  const main = !done
    ? <button type="button" className={classes.main} data-testid="tick-all" onClick={tickAll}>{t("goods.tick_all")}</button>
    : anythingHanded(cartons, over)
      ? <button type="button" className={classes.main} data-testid="to-sign" onClick={() => change({ screen: "sign" })}>{t("goods.sign")}</button>
      : <button type="button" className={classes.main} data-tone="bad" data-testid="refuse-all" onClick={() => change({ screen: "refused" })}>{t("goods.refuse_all")}</button>;
  const otherwise = (
    <>
      <button type="button" className={classes.side} data-testid="refused" onClick={() => change({ screen: "refused" })}>{t("goods.refused")}</button>
      <button type="button" className={classes.side} data-testid="nobody" onClick={() => change({ screen: "nobody_there" })}>{t("goods.nobody")}</button>
    </>
  );
  return (
    <>
      <div className={classes.body}>
        <p className={classes.who}><b data-testid="customer">{job?.customer_name}</b>{job?.address}</p>
        {job && job.note !== "" && <section className={classes.note}><p>{job.note}</p></section>}
        {cartons.length === 0 ? (
          <div className={classes.empty}>
            <strong>{t("goods.none")}</strong>
            <p>{t("goods.none_next")}</p>
          </div>
        ) : (
          <>
            <p className={classes.instruction} data-testid="instruction">{t("goods.instruction", { count: cartons.length })}</p>
            {!done && <p className={classes.hint}>{t("goods.how")}</p>}
          </>
        )}
        <Verdict verdict={verdict} />
        <ul className={classes.parcels}>
          {cartons.map((carton) => (
            <Parcel key={carton.sscc} carton={carton} over={over} onToggle={() => setOver(toggle(over, carton.sscc))}
              keeping={open === carton ? keeping : null} onKeeping={setKeeping} />
          ))}
        </ul>
      </div>
      <footer className={classes.thumb}>
        {open ? (
          <div className={classes.sides} data-ratio="back">
            <button type="button" className={classes.side} data-testid="back" onClick={() => setKeeping(null)}>{t("sign.back")}</button>
            <button type="button" className={classes.main} data-testid="keep-done" disabled={!keeping?.reason} onClick={keepIt}>{t("goods.keep_done")}</button>
          </div>
        ) : (
          <>
            {!done && cartons.length > 0 ? <CodeEntry onCode={onCode}>{otherwise}</CodeEntry> : <div className={classes.sides}>{otherwise}</div>}
            {cartons.length > 0 && main}
          </>
        )}
      </footer>
    </>
  );
}

interface ParcelProps {
  carton: DriverCarton;
  over: HandOver;
  onToggle: () => void;
  keeping: Keeping | null;
  onKeeping: (keeping: Keeping | null) => void;
}

function Parcel({ carton, over, onToggle, keeping, onKeeping }: ParcelProps) {
  const { t } = useTranslation(["driver", "common"]);
  const unit = useUnit();
  const state = stateOf(carton, over);
  const kept = over.kept[carton.sscc];
  const single = carton.contents.length === 1 && compareDecimal(carton.contents[0]?.aboard ?? "1", "1") <= 0;
  const move = (now: Keeping, n: number, of: string, by: "1" | "-1") => {
    const next = plus(now.pieces?.[n] ?? "0", by);
    if (compareDecimal(next, "0") >= 0 && compareDecimal(next, of) <= 0) onKeeping({ ...now, pieces: { ...now.pieces, [n]: next } });
  };
  return (
    <li data-state={state} data-testid={`parcel-${carton.sscc}`}>
      <div className={classes.parcel}>
        <button type="button" className={classes.tick} role="checkbox" aria-checked={state === "handed"} data-testid={`tick-${carton.sscc}`} onClick={onToggle}>
          <span className={classes.box}>{state === "handed" && <IconCheck size={28} stroke={3.2} />}{(state === "kept" || state === "partly") && <IconMinus size={28} stroke={3.2} />}</span>
          <span className={classes.parcelWords}>
            <strong className="mono">{shortSscc(carton.sscc)} <GoodsSigns of={carton.goods} /></strong>
            {kept ? <small data-tone="warn">{kept.pieces
              ? t("driver:goods.kept_some", { n: total(Object.values(kept.pieces)), all: total(carton.contents.map((content) => content.aboard)), reason: t(`driver:reason.${kept.reason}`) })
              : t("driver:goods.kept", { reason: t(`driver:reason.${kept.reason}`) })}</small>
              : <small>{carton.contents.map((content) => `${groupDigits(content.aboard)} × ${content.name}`).join(", ")}</small>}
          </span>
        </button>
        <button type="button" className={classes.more} data-testid={`keep-${carton.sscc}`} aria-expanded={keeping !== null} aria-label={t("driver:goods.keep")}
          onClick={() => onKeeping(keeping ? null : { sscc: carton.sscc, reason: kept?.reason ?? null, pieces: kept?.pieces ?? null })}>
          {keeping ? <IconChevronUp size={26} /> : <IconChevronDown size={26} />}
        </button>
      </div>
      {keeping && (
        <div className={classes.keep}>
          <strong>{t("driver:goods.keep_title")}</strong>
          <div className={classes.chips}>
            {KEEP_REASONS.map((one) => (
              <button key={one} type="button" className={classes.side} aria-pressed={keeping.reason === one} data-testid={`why-${one}`} onClick={() => onKeeping({ ...keeping, reason: one })}>{capital(t(`driver:reason.${one}`))}</button>
            ))}
          </div>
          {keeping.reason && !single && (
            <div className={classes.chips}>
              <button type="button" className={classes.side} aria-pressed={keeping.pieces === null} data-testid="keep-all" onClick={() => onKeeping({ ...keeping, pieces: null })}>{t("driver:goods.keep_all")}</button>
              <button type="button" className={classes.side} aria-pressed={keeping.pieces !== null} data-testid="keep-some" onClick={() => onKeeping({ ...keeping, pieces: {} })}>{t("driver:goods.keep_some")}</button>
            </div>
          )}
          {keeping.reason && keeping.pieces && (
            <>
              <strong>{t("driver:goods.keep_how_many")}</strong>
              {carton.contents.map((content, n) => (
                <div key={`${content.item_id}${content.lot ?? ""}${content.serial ?? ""}`} className={classes.stepper}>
                  <span>{content.name}{content.lot && <small>{content.lot}</small>}{content.serial && <small>{content.serial}</small>}</span>
                  <button type="button" className={classes.side} data-testid={`less-${content.sku}`} onClick={() => move(keeping, n, content.aboard, "-1")} aria-label={t("driver:goods.less")}><IconMinus size={26} /></button>
                  <output data-testid={`kept-${content.sku}`}>{groupDigits(keeping.pieces?.[n] ?? "0")}<small> / {groupDigits(content.aboard)} {unit(content.unit)}</small></output>
                  <button type="button" className={classes.side} data-testid={`more-${content.sku}`} onClick={() => move(keeping, n, content.aboard, "1")} aria-label={t("driver:goods.more")}><IconPlus size={26} /></button>
                </div>
              ))}
            </>
          )}
        </div>
      )}
    </li>
  );
}

function Sign({ stop, draft, change, photo, setPhoto, onDone }: Part & { photo: Photo | null; setPhoto: (photo: Photo | null) => void; onDone: () => void }) {
  const { t } = useTranslation("driver");
  const enough = (draft.name.trim() !== "" && draft.signed !== null) || photo !== null;
  return (
    <>
      <div className={classes.body}>
        <p className={classes.who}><b>{stop.job?.customer_name}</b></p>
        <p className={classes.instruction} data-testid="instruction">{t("sign.instruction")}</p>
        <label className={classes.field}>
          {t("sign.name")}
          <input name="receiver" autoComplete="off" autoCapitalize="words" maxLength={200} value={draft.name} onChange={(event) => change({ name: event.currentTarget.value })} />
        </label>
        <Signature initial={draft.signed?.strokes ?? []} onChange={(signed) => change({ signed })} />
        <PhotoField photo={photo} onChange={setPhoto} />
      </div>
      <footer className={classes.thumb}>
        {!enough && <p className={classes.small} data-testid="need">{t("sign.need")}</p>}
        <div className={classes.sides} data-ratio="back">
          <button type="button" className={classes.side} data-testid="back" onClick={() => change({ screen: "goods" })}>{t("sign.back")}</button>
          <button type="button" className={classes.main} data-testid="delivered" disabled={!enough} onClick={onDone}>{t(anythingKept(draft.over) ? "sign.done_partly" : "sign.done")}</button>
        </div>
      </footer>
    </>
  );
}

const NOBODY_REASONS = ["no_answer", "closed", "no_access", "wrong_address"] as const;

interface FailedProps {
  outcome: "refused" | "nobody_there";
  photo: Photo | null;
  setPhoto: (photo: Photo | null) => void;
  onBack: () => void;
  onDone: (outcome: "refused" | "nobody_there", reason: string) => void;
}

function Failed({ outcome, photo, setPhoto, onBack, onDone }: FailedProps) {
  const { t } = useTranslation("driver");
  const [reason, setReason] = useState<string | null>(null);
  const [note, setNote] = useState("");
  const nobody = outcome === "nobody_there";
  const ready = reason !== null && (!nobody || photo !== null);
  return (
    <>
      <div className={classes.body}>
        <p className={classes.instruction} data-testid="instruction">{t(nobody ? "fail.nobody" : "fail.refused")}</p>
        <div className={classes.chips}>
          {(nobody ? NOBODY_REASONS : REFUSE_REASONS).map((one) => (
            <button key={one} type="button" className={classes.side} aria-pressed={reason === one} data-testid={`why-${one}`} onClick={() => setReason(one)}>{capital(t(`reason.${one}`))}</button>
          ))}
        </div>
        <PhotoField photo={photo} onChange={setPhoto} large={nobody} />
        <label className={classes.field}>
          {t("fail.note")}
          <input name="note" autoComplete="off" maxLength={300} value={note} onChange={(event) => setNote(event.currentTarget.value)} />
        </label>
      </div>
      <footer className={classes.thumb}>
        {nobody && reason !== null && photo === null && <p className={classes.small}>{t("fail.photo_first")}</p>}
        <div className={classes.sides} data-ratio="back">
          <button type="button" className={classes.side} data-testid="back" onClick={onBack}>{t("sign.back")}</button>
          <button type="button" className={classes.main} data-tone="bad" data-testid="failed" disabled={!ready} onClick={() => reason !== null && onDone(outcome, note.trim() === "" ? reason : `${reason}: ${note.trim()}`)}>
            {t(nobody ? "fail.done_nobody" : "fail.done_refused")}
          </button>
        </div>
      </footer>
    </>
  );
}

const total = (quantities: readonly string[]): string => groupDigits(quantities.reduce((sum, one) => minus(sum, `-${one}`), "0"));
