// Who may log in, and as what.
import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { FormDialog, many, orNull, text, type Field } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Page, Panel } from "@/components/Page";
import { State } from "@/components/State";
import { LiveView } from "@/components/views";
import { changeUser, createUser, ROLES, usersQuery, type NewUser, type Role, type User } from "@/data/people";
import { useList } from "@/data/queries";
import { useSites } from "@/data/site";
import { LANGUAGES, type Language } from "@/i18n";

export default function Users() {
  const { t } = useTranslation(["settings", "common"]);
  const may = useMay();
  const queries = useQueryClient();
  const sites = useSites();
  const users = useList(usersQuery);
  const [adding, setAdding] = useState(false);
  const [editing, setEditing] = useState<User | null>(null);
  const again = () => void queries.invalidateQueries({ queryKey: ["users"] });
  const create = useCommand(createUser, { onDone: again });
  const change = useCommand(changeUser, { onDone: again });
  const roleName = (role: string) => t(`common:role.${role}` as "common:role.lead");
  const roles = ROLES.map((role) => ({ value: role, label: roleName(role) }));
  const languages = Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }));

  const columns: Column<User>[] = [
    { key: "username", header: t("common:login.username"), cell: (user) => <strong style={{ fontWeight: 560 }}>{user.username}</strong> },
    { key: "name", header: t("common:field.name"), grow: true, cell: (user) => user.name },
    { key: "roles", header: t("user.roles"), cell: (user) => user.roles.map(roleName).join(", ") },
    { key: "site", header: t("common:shell.site"), cell: (user) => sites.find((site) => site.id === user.site_id)?.name ?? t("user.every_site") },
    { key: "language", header: t("common:shell.language"), cell: (user) => LANGUAGES[user.language as Language] },
    { key: "state", header: t("common:field.state"), cell: (user) => <State value={user.active ? "active" : "inactive"} /> },
  ];
  const shared = (user: User | null): Field[] => [
    { name: "name", label: t("common:field.name"), required: true, half: true, initial: user?.name },
    { name: "password", label: user ? t("me.new_password") : t("common:login.password"), hint: user ? t("user.password_keep") : t("me.password_hint"), kind: "password", required: !user, half: true },
    { name: "roles", label: t("user.roles"), kind: "many", required: true, initial: user?.roles ?? ["worker"], options: roles },
    { name: "language", label: t("common:shell.language"), kind: "select", required: true, half: true, initial: user?.language ?? "en", options: languages },
  ];
  return (
    <Page title={t("chapter.users")} lead={t("user.lead")} actions={may("admin") && <Button onClick={() => setAdding(true)}>{t("user.add")}</Button>}>
      <Panel flush>
        <LiveView query={users}>
          {(rows) => <DataTable label={t("chapter.users")} rows={rows} columns={columns} rowKey={(user) => user.id} onOpen={may("admin") ? setEditing : undefined} more={users.more} />}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("user.add")}
        opened={adding}
        onClose={() => setAdding(false)}
        command={create}
        fields={[
          { name: "username", label: t("common:login.username"), hint: t("user.username_hint"), required: true },
          ...shared(null),
          { name: "site_id", label: t("common:shell.site"), kind: "select", half: true, hint: t("user.site_hint"), options: sites.map((site) => ({ value: site.id, label: site.name })) },
        ]}
        toInput={(values): NewUser => ({
          username: text(values["username"]), name: text(values["name"]), password: text(values["password"]), roles: many(values["roles"]) as Role[],
          language: text(values["language"]) as Language, site_id: orNull(values["site_id"]),
        })}
        submit={t("common:action.create")}
        done={t("common:action.saved")}
      />
      {editing && (
        <FormDialog
          key={editing.id}
          title={editing.username}
          opened
          onClose={() => setEditing(null)}
          command={change}
          fields={[...shared(editing), { name: "active", label: t("user.active"), kind: "check", initial: editing.active }]}
          toInput={(values) => ({
            id: editing.id, version: editing.version, name: text(values["name"]), password: orNull(values["password"]), roles: many(values["roles"]) as Role[],
            language: text(values["language"]) as Language, active: values["active"] === true,
          })}
          submit={t("common:action.save")}
          done={t("common:action.saved")}
        />
      )}
    </Page>
  );
}
