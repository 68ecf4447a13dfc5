// A field to sign in with a finger. Paper is white and ink is dark in both colour schemes: so it is kept, and so it is printed.
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import SignaturePad, { type PointGroup } from "signature_pad";
import classes from "./Driver.module.css";

export interface Signed {
  svg: string;
  strokes: PointGroup[];
}

export function Signature({ initial, onChange }: { initial: PointGroup[]; onChange: (signed: Signed | null) => void }) {
  const { t } = useTranslation("driver");
  const canvas = useRef<HTMLCanvasElement>(null);
  const pad = useRef<SignaturePad>(null);
  const [empty, setEmpty] = useState(initial.length === 0);
  const [first] = useState(initial);
  const tell = useRef(onChange);
  useEffect(() => {
    tell.current = onChange;
  });

  useEffect(() => {
    const sheet = canvas.current;
    if (!sheet) return;
    const made = new SignaturePad(sheet, { penColor: "#14213d", minWidth: 0.8, maxWidth: 2.6 });
    pad.current = made;
    const fit = () => {
      const strokes = made.toData();
      const ratio = Math.max(window.devicePixelRatio, 1);
      sheet.width = sheet.offsetWidth * ratio;
      sheet.height = sheet.offsetHeight * ratio;
      sheet.getContext("2d")?.scale(ratio, ratio);
      made.fromData(strokes.length > 0 ? strokes : first);
    };
    fit();
    made.addEventListener("beginStroke", () => setEmpty(false));
    made.addEventListener("endStroke", () => tell.current({ svg: made.toSVG(), strokes: made.toData() }));
    window.addEventListener("resize", fit);
    return () => {
      window.removeEventListener("resize", fit);
      made.off();
      pad.current = null;
    };
  }, [first]);

  const clear = () => {
    pad.current?.clear();
    setEmpty(true);
    onChange(null);
  };
  return (
    <div className={classes.paper} data-testid="signature">
      <canvas ref={canvas} aria-label={t("sign.pad")} />
      {empty ? <span className={classes.signHere}>{t("sign.sign_here")}</span> : (
        <button type="button" onClick={clear} data-testid="signature-clear">{t("sign.clear")}</button>
      )}
    </div>
  );
}
