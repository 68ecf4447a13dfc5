import { useTranslation } from "react-i18next";

/** While a screen's code loads: usually not long enough to be seen. */
export function Waiting() {
  const { t } = useTranslation();
  return (
    <p role="status" className="soft" style={{ padding: 24, margin: 0 }}>
      {t("live.loading")} …
    </p>
  );
}
