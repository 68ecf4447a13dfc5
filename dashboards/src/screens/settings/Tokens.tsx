// Tokens for programs that use the API. The secret is shown once.
import { Button, CopyButton } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { FormDialog, many, orNull, text } from "@/components/CommandForm";
import { Confirm } from "@/components/Confirm";
import { DataTable, type Column } from "@/components/DataTable";
import { Page, Panel } from "@/components/Page";
import { State } from "@/components/State";
import { Time } from "@/components/Time";
import { EmptyState, LiveView } from "@/components/views";
import { apiTokensQuery, createApiToken, revokeApiToken, ROLES, type ApiToken, type NewApiToken, type Role } from "@/data/people";
import classes from "./Settings.module.css";

export default function Tokens() {
  const { t } = useTranslation(["settings", "common"]);
  const queries = useQueryClient();
  const tokens = useQuery(apiTokensQuery);
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const again = () => void queries.invalidateQueries({ queryKey: ["api-tokens"] });
  const create = useCommand(createApiToken, { onDone: again });
  const revoke = useCommand(revokeApiToken, { onDone: again });
  const roleName = (role: string) => t(`common:role.${role}` as "common:role.lead");
  const columns: Column<ApiToken>[] = [
    { key: "name", header: t("common:field.name"), grow: true, cell: (token) => token.name },
    { key: "roles", header: t("user.roles"), cell: (token) => token.roles.map(roleName).join(", ") },
    { key: "user", header: t("token.of"), cell: (token) => token.username },
    { key: "created", header: t("common:field.created"), cell: (token) => <Time at={token.created_at} /> },
    { key: "expires", header: t("common:field.expiry"), cell: (token) => <Time at={token.expires_at} /> },
    { key: "state", header: t("common:field.state"), cell: (token) => <State value={token.revoked_at ? "revoked" : "active"} tone={token.revoked_at ? "off" : "ok"} /> },
    { key: "revoke", header: "", align: "right", cell: (token) =>
      !token.revoked_at && (
        <Confirm size="compact-xs" variant="subtle" color="red" onConfirm={() => revoke.mutate(token.id)}>
          {t("token.revoke")}
        </Confirm>
      ) },
  ];
  return (
    <Page title={t("chapter.tokens")} lead={t("token.lead")} actions={<Button onClick={() => setAdding(true)}>{t("token.add")}</Button>}>
      {secret && (
        <Panel title={t("token.secret")} actions={<Button variant="default" size="xs" onClick={() => setSecret(null)}>{t("common:action.done")}</Button>}>
          <div className={classes.secret}>
            <code>{secret}</code>
            <span className="soft">{t("token.once")}</span>
            <CopyButton value={secret}>
              {({ copied, copy }) => (
                <Button size="xs" variant="light" onClick={copy}>
                  {copied ? t("common:action.copied") : t("common:action.copy")}
                </Button>
              )}
            </CopyButton>
          </div>
        </Panel>
      )}
      <Panel flush>
        <LiveView query={tokens} empty={(page) => page.items.length === 0 && <EmptyState title={t("token.none")} next={t("token.none_next")} />}>
          {(page) => <DataTable label={t("chapter.tokens")} rows={page.items} columns={columns} rowKey={(token) => token.id} />}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("token.add")}
        opened={adding}
        onClose={() => setAdding(false)}
        command={create}
        fields={[
          { name: "name", label: t("common:field.name"), hint: t("token.name_hint"), required: true },
          { name: "roles", label: t("user.roles"), kind: "many", required: true, options: ROLES.map((role) => ({ value: role, label: roleName(role) })) },
          { name: "valid_days", label: t("token.valid_days"), kind: "quantity", initial: "365" },
        ]}
        toInput={(values): NewApiToken => ({ name: text(values["name"]), roles: many(values["roles"]) as Role[], valid_days: orNull(values["valid_days"]) === null ? null : Number(text(values["valid_days"])) })}
        submit={t("common:action.create")}
        onDone={(issued) => setSecret(issued.token)}
      />
    </Page>
  );
}
