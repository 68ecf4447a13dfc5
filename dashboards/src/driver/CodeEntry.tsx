// Where no scanner is at hand: the last digits of a label by thumb, or the phone's own camera where the browser reads barcodes.
import { IconCamera, IconKeyboard, IconX } from "@tabler/icons-react";
import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import classes from "./Driver.module.css";

interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}
type DetectorMaker = new (options: { formats: string[] }) => Detector;
const detectorMaker = (): DetectorMaker | undefined => (window as unknown as { BarcodeDetector?: DetectorMaker }).BarcodeDetector;

/** `children`: other buttons of the same row, where there are some it takes only an icon's room. */
export function CodeEntry({ onCode, children }: { onCode: (code: string) => void; children?: ReactNode }) {
  const { t } = useTranslation("driver");
  const [open, setOpen] = useState<"typing" | "camera" | null>(null);
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === "") return;
    onCode(text.trim());
    setText("");
    setOpen(null);
  };
  if (open === null) {
    return (
      <div className={classes.sides} data-ratio={children ? "code" : undefined}>
        <button type="button" className={classes.side} data-testid="type-code" onClick={() => setOpen("typing")} aria-label={t("code.open")}>
          <IconKeyboard size={26} />
          {!children && t("code.open")}
        </button>
        {detectorMaker() && navigator.mediaDevices !== undefined && (
          <button type="button" className={classes.side} data-testid="camera" onClick={() => setOpen("camera")} aria-label={t("code.camera")}>
            <IconCamera size={26} />
            {!children && t("code.camera")}
          </button>
        )}
        {children}
      </div>
    );
  }
  if (open === "camera") {
    return <Camera onClose={() => setOpen(null)} onCode={(code) => {
      onCode(code);
      setOpen(null);
    }} />;
  }
  return (
    <form className={classes.codeEntry} onSubmit={submit}>
      <label className={classes.field}>
        {t("code.hint")}
        <input aria-label={t("code.label")} name="code" inputMode="numeric" autoComplete="off" autoFocus value={text} onChange={(event) => setText(event.currentTarget.value)} />
      </label>
      <button type="submit" className={classes.side} data-strong disabled={text.trim() === ""}>{t("code.enter")}</button>
      <button type="button" className={classes.side} onClick={() => setOpen(null)} aria-label={t("code.close")}>
        <IconX size={26} />
      </button>
    </form>
  );
}

function Camera({ onCode, onClose }: { onCode: (code: string) => void; onClose: () => void }) {
  const { t } = useTranslation("driver");
  const video = useRef<HTMLVideoElement>(null);
  const [failed, setFailed] = useState(false);
  const tell = useRef(onCode);
  useEffect(() => {
    tell.current = onCode;
  });
  useEffect(() => {
    let over = false;
    let stream: MediaStream | undefined;
    const look = async () => {
      const Maker = detectorMaker();
      const picture = video.current;
      if (!Maker || !picture) throw new Error("no detector");
      const detector = new Maker({ formats: ["code_128", "data_matrix", "qr_code", "ean_13"] });
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      picture.srcObject = stream;
      await picture.play();
      while (!over) {
        const [found] = await detector.detect(picture);
        if (over) return;
        if (found?.rawValue) return tell.current(found.rawValue);
        await new Promise((done) => setTimeout(done, 120));
      }
    };
    look().catch(() => over || setFailed(true));
    return () => {
      over = true;
      stream?.getTracks().forEach((track) => track.stop());
    };
  }, []);
  return (
    <div className={classes.camera}>
      {failed ? <p role="alert">{t("code.camera_failed")}</p> : <video ref={video} muted playsInline aria-label={t("code.camera_hint")} />}
      <button type="button" className={classes.side} onClick={onClose}>{t("code.close")}</button>
    </div>
  );
}
