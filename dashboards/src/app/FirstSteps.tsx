// An empty system: what to set up, in which order.
import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Page, Panel } from "@/components/Page";
import { useMay } from "./may";
import classes from "./FirstSteps.module.css";

const STEPS = [
  { word: "site", to: "/settings/sites" },
  { word: "places", to: "/settings/imports?kind=places" },
  { word: "items", to: "/settings/imports" },
  { word: "users", to: "/settings/users" },
  { word: "devices", to: "/devices" },
] as const;

export function FirstSteps() {
  const { t } = useTranslation();
  const may = useMay();
  return (
    <Page title={t("first.title")} lead={may("admin") ? t("first.lead") : t("first.ask")}>
      <Panel>
        <ol className={classes.steps}>
          {STEPS.map(({ word, to }, index) => (
            <li key={word}>
              <div>
                <strong>{t(`first.${word}`)}</strong>
                <div className="soft">{t(`first.${word}_why`)}</div>
              </div>
              {may("admin") && (
                <Button component={Link} to={to} size="xs" variant={index === 0 ? "filled" : "default"} disabled={index > 0}>
                  {t("action.open")}
                </Button>
              )}
            </li>
          ))}
        </ol>
      </Panel>
    </Page>
  );
}
