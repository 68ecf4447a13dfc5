import { useTranslation } from "react-i18next";
import classes from "./Legend.module.css";

/** What the colours of the bins mean. */
export function Legend() {
  const { t } = useTranslation("floor");
  return (
    <div className={classes.legend}>
      {(["0", "1", "2", "3", "4", "unknown"] as const).map((step) => (
        <span key={step}>
          <i data-fill={step} />
          {t(`fill.${step}`)}
        </span>
      ))}
    </div>
  );
}
