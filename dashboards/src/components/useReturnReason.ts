// Why goods came back: the handheld's reasons have a word in each language; what a person wrote stays as it is.
import { useTranslation } from "react-i18next";

export function useReturnReason(): (reason: string) => string {
  const { t, i18n } = useTranslation();
  return (reason) => {
    const key = `return_reason.${reason.replaceAll(" ", "_")}`;
    return i18n.exists(key) ? t(key as "return_reason.other") : reason;
  };
}
