// One posting: what it says to the ERP, what the ERP said, why it waits, and trying again.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { FormDialog, orNull } from "@/components/CommandForm";
import { Facts } from "@/components/facts";
import { Cause, ItemLink } from "@/components/MovementTable";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { Time } from "@/components/Time";
import { LiveView } from "@/components/views";
import { postingQuery, retryPosting, type Posting } from "@/data/outbox";
import { sentence } from "@/i18n/sentences";

export default function PostingPage() {
  const { t } = useTranslation(["outbox", "common"]);
  const may = useMay();
  const { postingId = "" } = useParams();
  const posting = useQuery(postingQuery(postingId));
  const [retrying, setRetrying] = useState(false);
  const retry = useCommand(retryPosting, { changes: ["postings"] });
  const known = posting.data;
  return (
    <Page
      name={t("posting")}
      title={known ? <>{t("posting")} <State value={known.state} /></> : "…"}
      crumbs={[{ label: t("title"), to: "/outbox" }]}
      lead={known && <Time at={known.recorded_at} age />}
      actions={known && known.state !== "posted" && may("integrator", "lead") && <Button onClick={() => setRetrying(true)}>{t("retry")}</Button>}
    >
      <LiveView query={posting}>{(p) => <Details posting={p} />}</LiveView>
      <FormDialog
        title={t("retry")}
        opened={retrying}
        onClose={() => setRetrying(false)}
        command={retry}
        fields={[{ name: "erp_date", label: t("erp_date"), hint: t("erp_date_hint"), kind: "date" }]}
        toInput={(values) => ({ id: postingId, erp_date: orNull(values["erp_date"]) })}
        submit={t("retry")}
        done={t("retried")}
      />
    </Page>
  );
}

function Details({ posting: p }: { posting: Posting }) {
  const { t } = useTranslation(["outbox", "common"]);
  const word = useWord();
  return (
    <Columns ratio="1fr 1fr">
      <Stack>
        <Panel title={t("erp_words")}>
          {p.words ? <p style={{ margin: 0, whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{sentence(p.words)}</p> : <span className="soft">{t("no_words")}</span>}
        </Panel>
        <Panel title={t("at_erp")}>
          <Facts
            facts={[
              [t("common:field.state"), <State key="s" value={p.state} />],
              p.problem !== null && [t("problem"), t(`problem_kind.${p.problem}` as "problem_kind.unreachable", { defaultValue: p.problem.replaceAll("_", " ") })],
              [t("common:field.kind"), p.kind === null ? "–" : t(`kind.${p.kind}` as "kind.receipt")],
              [t("common:field.reference"), <span key="r" className="mono">{p.reference ?? "–"}</span>],
              [t("erp_number"), <span key="n" className="mono">{p.erp_number ?? "–"}</span>],
              [t("tries"), String(p.attempts)],
              p.state !== "posted" && [t("next_try"), <Time key="t" at={p.next_try_at} age />],
              p.held_by !== null && [t("held_by"), <Link key="h" to={`/outbox/${p.held_by}`}>{t("earlier")}</Link>],
              p.settled_at !== null && [t("settled"), <Time key="d" at={p.settled_at} age />],
            ]}
          />
        </Panel>
      </Stack>
      <Panel title={t("movement")} actions={<Link to={`/movements/${p.id}`}>{t("evidence")}</Link>}>
        <Facts
          facts={[
            [t("common:field.item"), <ItemLink key="i" id={p.item_id} sku={p.sku} name={p.item_name} />],
            [t("common:field.quantity"), <Quantity key="q" value={p.quantity} unit={p.unit} />],
            (p.lot ?? p.serial) !== null && [t("common:field.lot"), <span key="l" className="mono">{p.lot ?? p.serial}</span>],
            [t("places"), <span key="p" className="mono">{p.from_place} → {p.to_place}</span>],
            [t("erp_way"), <span key="e" className="mono">{p.erp_from ?? "?"} → {p.erp_to ?? "?"}</span>],
            [t("common:field.cause"), <Cause key="c" kind={p.cause_kind} id={p.cause_id} word={word("cause", p.cause_kind)} />],
            [t("common:field.reason"), p.reason],
            [t("common:field.when"), <Time key="w" at={p.occurred_at} age />],
          ]}
        />
      </Panel>
    </Columns>
  );
}
