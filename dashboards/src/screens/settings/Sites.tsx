import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCommand } from "@/api/command";
import { FormDialog, orNull, text } from "@/components/CommandForm";
import { DataTable } from "@/components/DataTable";
import { Page, Panel } from "@/components/Page";
import { EmptyState, LiveView } from "@/components/views";
import { createSite, type NewSite } from "@/data/catalog";
import { sitesQuery } from "@/data/site";

/** The buildings this system runs; each has its own places, stock and time zone. */
export default function Sites() {
  const { t } = useTranslation(["settings", "common"]);
  const sites = useQuery(sitesQuery);
  const queries = useQueryClient();
  const [adding, setAdding] = useState(false);
  const command = useCommand(createSite, { onDone: () => void queries.invalidateQueries({ queryKey: ["sites"] }) });
  return (
    <Page title={t("chapter.sites")} lead={t("site.lead")} actions={<Button onClick={() => setAdding(true)}>{t("site.add")}</Button>}>
      <Panel flush>
        <LiveView query={sites} empty={(rows) => rows.length === 0 && <EmptyState title={t("site.none")} next={t("site.none_next")} action={{ label: t("site.add"), onClick: () => setAdding(true) }} />}>
          {(rows) => (
            <DataTable
              label={t("chapter.sites")}
              rows={rows}
              rowKey={(site) => site.id}
              columns={[
                { key: "code", header: t("common:field.code"), cell: (site) => <span className="mono">{site.code}</span> },
                { key: "name", header: t("common:field.name"), grow: true, cell: (site) => site.name },
                { key: "zone", header: t("site.time_zone"), cell: (site) => site.time_zone },
                { key: "prefix", header: t("site.prefix"), cell: (site) => <span className="mono">{site.gs1_company_prefix ?? "–"}</span> },
              ]}
            />
          )}
        </LiveView>
      </Panel>
      <FormDialog
        title={t("site.add")}
        opened={adding}
        onClose={() => setAdding(false)}
        command={command}
        fields={[
          { name: "code", label: t("common:field.code"), required: true, half: true },
          { name: "name", label: t("common:field.name"), required: true, half: true },
          { name: "time_zone", label: t("site.time_zone"), kind: "select", required: true, initial: Intl.DateTimeFormat().resolvedOptions().timeZone, half: true,
            options: ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")].map((zone) => ({ value: zone, label: zone })) },
          { name: "gs1_company_prefix", label: t("site.prefix"), hint: t("site.prefix_hint"), half: true },
        ]}
        toInput={(values): NewSite => ({ code: text(values["code"]), name: text(values["name"]), time_zone: text(values["time_zone"]), gs1_company_prefix: orNull(values["gs1_company_prefix"]) })}
        submit={t("common:action.create")}
        done={t("common:action.saved")}
      />
    </Page>
  );
}
