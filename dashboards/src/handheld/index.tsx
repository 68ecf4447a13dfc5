// The handheld's own routes start here (/handheld/*). It shares tokens, words, session, data and the scanner with the
// desktop, and none of its shell.
import { useTranslation } from "react-i18next";

export default function Handheld() {
  const { t } = useTranslation();
  return <main style={{ padding: 16 }}>{t("not_found.next")}</main>;
}
