// Rebuilds every balance from the movements and compares. An empty list is the only good answer.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { DataTable } from "@/components/DataTable";
import { Facts } from "@/components/facts";
import { Page, Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State } from "@/components/State";
import { Time } from "@/components/Time";
import { EmptyState, ErrorState } from "@/components/views";
import { verificationQuery } from "@/data/stock";

export default function LedgerCheck() {
  const { t } = useTranslation(["settings", "common"]);
  const check = useQuery(verificationQuery);
  const found = check.data;
  return (
    <Page title={t("chapter.ledger")} lead={t("ledger.lead")} actions={<Button loading={check.isFetching} onClick={() => void check.refetch()}>{t("ledger.check")}</Button>}>
      <Panel flush={Boolean(found && found.mismatches.length > 0)}>
        {check.error && <ErrorState error={check.error} />}
        {!found && !check.error && <EmptyState title={t("ledger.not_yet")} next={t("ledger.not_yet_next")} />}
        {found && found.mismatches.length === 0 && (
          <Facts
            facts={[
              [t("ledger.result"), <State key="s" value="matched" />],
              [t("ledger.movements"), <Quantity key="m" value={found.movements} />],
              [t("ledger.took"), <Quantity key="t" value={found.took_ms} unit="ms" />],
              [t("common:field.when"), <Time key="w" at={found.at} age />],
            ]}
          />
        )}
        {found && found.mismatches.length > 0 && (
          <DataTable
            label={t("chapter.ledger")}
            rows={found.mismatches}
            rowKey={(row) => row.what + row.where}
            tone={() => "bad"}
            columns={[
              { key: "what", header: t("ledger.what"), cell: (row) => row.what },
              { key: "where", header: t("ledger.where"), grow: true, cell: (row) => row.where },
              { key: "expected", header: t("ledger.expected"), align: "right", cell: (row) => <Quantity value={row.expected} /> },
              { key: "found", header: t("ledger.found"), align: "right", cell: (row) => <Quantity value={row.found} /> },
            ]}
          />
        )}
      </Panel>
    </Page>
  );
}
