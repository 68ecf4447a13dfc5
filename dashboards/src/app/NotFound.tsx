import { useTranslation } from "react-i18next";
import { Page, Panel } from "@/components/Page";
import { EmptyState } from "@/components/views";

export default function NotFound() {
  const { t } = useTranslation();
  return (
    <Page title={t("not_found.title")}>
      <Panel>
        <EmptyState title={t("not_found.title")} next={t("not_found.next")} action={{ label: t("nav.floor"), to: "/floor" }} />
      </Panel>
    </Page>
  );
}
