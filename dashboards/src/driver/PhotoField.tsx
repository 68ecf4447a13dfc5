// A picture as proof: the phone's camera opens, the picture is made small here before it goes anywhere.
import { IconCamera, IconX } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { photoUrl, shrink, type Photo } from "./photo";
import classes from "./Driver.module.css";

export function PhotoField({ photo, onChange, large = false }: { photo: Photo | null; onChange: (photo: Photo | null) => void; large?: boolean }) {
  const { t } = useTranslation("driver");
  const [failed, setFailed] = useState(false);
  const take = (file: File | undefined) => {
    if (!file) return;
    setFailed(false);
    shrink(file).then(onChange, () => setFailed(true));
  };
  return (
    <div className={classes.photo} data-large={large || undefined}>
      {photo && <img src={photoUrl(photo)} alt={t("sign.photo")} data-testid="photo-shown" />}
      <label className={classes.side}>
        <IconCamera size={26} />
        {t(photo ? "sign.photo_again" : "sign.photo")}
        <input type="file" accept="image/*" capture="environment" data-testid="photo" onChange={(event) => {
          take(event.currentTarget.files?.[0]);
          event.currentTarget.value = "";
        }} />
      </label>
      {photo && (
        <button type="button" className={classes.plain} onClick={() => onChange(null)} aria-label={t("sign.photo_remove")}>
          <IconX size={26} />
        </button>
      )}
      {failed && <p role="alert">{t("sign.photo_failed")}</p>}
    </div>
  );
}
