import { useTranslation } from "react-i18next";
import { isRouteErrorResponse, useRouteError } from "react-router";

/** A fault in a screen: say so, keep the rest of the application usable. */
export function CrashScreen() {
  const { t } = useTranslation();
  const error = useRouteError();
  const words = isRouteErrorResponse(error) ? error.statusText : error instanceof Error ? error.message : String(error);
  return (
    <main role="alert" style={{ padding: 24 }}>
      <h1>{t("problem.screen_failed")}</h1>
      <p className="soft">{words}</p>
      <button type="button" onClick={() => window.location.reload()}>
        {t("action.retry")}
      </button>
    </main>
  );
}
