// Entry without a scanner: keys a glove can hit. A scan while it is open goes on as if it were not there.
import { IconBackspace, IconCheck, IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { KeypadKind } from "./view";
import classes from "./Handheld.module.css";

const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
const LETTERS = [..."1234567890ABCDEFGHIJKLMNOPQRSTUVWXYZ-./"];

interface KeypadProps {
  kind: KeypadKind;
  title: string;
  text: string;
  onChange: (text: string) => void;
  onDone: () => void;
  onCancel: () => void;
}

export function Keypad({ kind, title, text, onChange, onDone, onCancel }: KeypadProps) {
  const { t } = useTranslation("handheld");
  const numeric = kind === "number" || kind === "date";
  const key = (character: string) => (
    <button key={character} type="button" onClick={() => onChange(text + character)}>
      {character}
    </button>
  );
  return (
    <section className={classes.keypad} data-testid="keypad" aria-label={title}>
      <header>
        <button type="button" onClick={onCancel} aria-label={t("action.back")}>
          <IconX size={28} />
        </button>
        <output data-empty={text === "" || undefined}>{text || title}</output>
        <button type="button" onClick={() => onChange(text.slice(0, -1))} aria-label={t("keypad.erase")}>
          <IconBackspace size={28} />
        </button>
      </header>
      {kind === "date" && <p className={classes.hint}>{t("keypad.date_hint")}</p>}
      <div className={classes.keys} data-kind={numeric ? "number" : "text"}>
        {(numeric ? DIGITS : LETTERS).map(key)}
        {numeric && (kind === "number" ? key(".") : <span />)}
        {numeric && key("0")}
        <button type="button" className={classes.strong} data-testid="keypad-done" disabled={text === ""} onClick={onDone} aria-label={t("keypad.done")}>
          <IconCheck size={34} stroke={3} />
        </button>
      </div>
    </section>
  );
}
