// Is everything alive: agents with their devices, alerts to acknowledge, and messages nobody could understand.
import { useTranslation } from "react-i18next";
import { Page } from "@/components/Page";
import { ScreenTabs } from "@/components/tabs";
import { useOpenAlerts } from "@/data/alerts";
import { Alerts } from "./Alerts";
import { DeadLetters } from "./DeadLetters";
import { Tree } from "./Tree";

export default function Devices() {
  const { t } = useTranslation(["devices", "common"]);
  const open = useOpenAlerts();
  return (
    <Page title={t("title")} lead={t("lead")}>
      <ScreenTabs
        tabs={[
          { value: "tree", label: t("tab.tree"), content: () => <Tree /> },
          { value: "alerts", label: open > 0 ? t("tab.alerts_open", { n: open }) : t("tab.alerts"), content: () => <Alerts /> },
          { value: "dead-letters", label: t("tab.dead_letters"), content: () => <DeadLetters /> },
        ]}
      />
    </Page>
  );
}
