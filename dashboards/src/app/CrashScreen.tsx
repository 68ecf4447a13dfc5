import { useTranslation } from "react-i18next";
import { isRouteErrorResponse, useRouteError } from "react-router";
import { ErrorState } from "@/components/views";

/** A fault in a screen: say so, keep the rest of the application usable. */
export function CrashScreen() {
  const { t } = useTranslation();
  const error = useRouteError();
  const shown = isRouteErrorResponse(error) ? new Error(error.statusText) : error;
  return (
    <div style={{ padding: 24 }}>
      <h1>{t("problem.screen_failed")}</h1>
      <ErrorState error={shown} retry={() => window.location.reload()} />
    </div>
  );
}
