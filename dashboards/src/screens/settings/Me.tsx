// What a person sets for themself: language and password.
import { SegmentedControl } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { useSession } from "@/api/session";
import { CommandForm, text } from "@/components/CommandForm";
import { Facts } from "@/components/facts";
import { Columns, Page, Panel } from "@/components/Page";
import { changeMySettings } from "@/data/people";
import { LANGUAGES, speak, type Language } from "@/i18n";

export default function Me() {
  const { t, i18n } = useTranslation(["settings", "common"]);
  const session = useSession();
  const change = useCommand(changeMySettings);
  if (!session) return null;
  return (
    <Page title={t("chapter.me")}>
      <Columns ratio="1fr 1fr">
        <Panel title={t("me.who")}>
          <Facts
            facts={[
              [t("common:login.username"), session.user.username],
              [t("common:field.name"), session.user.name],
              [t("user.roles"), session.user.roles.map((role) => t(`common:role.${role}` as "common:role.lead")).join(", ")],
              [
                t("common:shell.language"),
                <SegmentedControl
                  key="l"
                  value={i18n.language}
                  onChange={(language) => {
                    void speak(language as Language);
                    change.mutate({ language: language as Language });
                  }}
                  data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
                />,
              ],
            ]}
          />
        </Panel>
        <Panel title={t("me.password")}>
          <CommandForm
            fields={[
              { name: "old_password", label: t("me.old_password"), kind: "password", required: true },
              { name: "password", label: t("me.new_password"), kind: "password", required: true, hint: t("me.password_hint") },
            ]}
            command={change}
            toInput={(values) => ({ old_password: text(values["old_password"]), password: text(values["password"]) })}
            submit={t("common:action.save")}
            onDone={() => notifications.show({ message: t("common:action.saved"), color: "teal" })}
          />
        </Panel>
      </Columns>
    </Page>
  );
}
