// One movement and what it is founded on: evidence, the chain it belongs to, what the ERP was told, and its reversal.
import { Button } from "@mantine/core";
import { IconArrowRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { useCommand } from "@/api/command";
import { addressOf } from "@/app/addresses";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { FormDialog, text } from "@/components/CommandForm";
import { Evidence } from "@/components/Evidence";
import { Facts } from "@/components/facts";
import { ItemLink, PlaceLink } from "@/components/MovementTable";
import { Columns, Page, Panel, Stack } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, useWord } from "@/components/State";
import { Time } from "@/components/Time";
import { useReturnReason } from "@/components/useReturnReason";
import { LiveView } from "@/components/views";
import { movementQuery, reverseMovement, type Movement } from "@/data/stock";
import { postingOfMovementQuery } from "@/data/outbox";
import { reason, sentence } from "@/i18n/sentences";
import classes from "./MovementPage.module.css";

export default function MovementPage() {
  const { t } = useTranslation(["stock", "common"]);
  const { movementId = "" } = useParams();
  const movement = useQuery(movementQuery(movementId));
  const may = useMay();
  const [reversing, setReversing] = useState(false);
  const command = useCommand(reverseMovement, { changes: ["stock", "movements"] });
  const reversible = movement.data && !movement.data.reversed_by_id && !movement.data.reverses_id;
  return (
    <Page
      title={t("movement")}
      crumbs={[
        { label: t("title"), to: "/stock" },
        { label: t("movements"), to: "/movements" },
      ]}
      lead={movement.data && <Time at={movement.data.occurred_at} age />}
      actions={
        reversible && may("lead") ? (
          <Button variant="default" onClick={() => setReversing(true)}>
            {t("reverse")}
          </Button>
        ) : undefined
      }
    >
      <LiveView query={movement}>{(m) => <Details movement={m} />}</LiveView>
      <FormDialog
        title={t("reverse")}
        opened={reversing}
        onClose={() => setReversing(false)}
        command={command}
        danger
        fields={[{ name: "reason", label: t("common:field.reason"), hint: t("reverse_hint"), required: true }]}
        toInput={(values) => ({ id: movementId, reason: text(values["reason"]) })}
        submit={t("reverse")}
        done={t("reversed")}
      />
    </Page>
  );
}

function Details({ movement: m }: { movement: Movement }) {
  const { t } = useTranslation(["stock", "common"]);
  const word = useWord();
  const reasonOf = useReturnReason();
  const causeTo = addressOf(m.cause_kind, m.cause_id);
  const posting = useQuery(postingOfMovementQuery(m.id));
  return (
    <>
      <div className={classes.way}>
        <End label={t("common:field.from")} id={m.from_place_id} code={m.from_place} plate={m.from_license_plate} status={m.from_status} after={m.from_on_hand_after} unit={m.unit} />
        <div className={classes.what}>
          <Quantity size="xl" value={m.quantity} unit={m.unit} />
          <IconArrowRight size={28} stroke={1.4} aria-hidden />
          <ItemLink id={m.item_id} sku={m.sku} name={m.item_name} />
          {(m.lot_code || m.serial) && <span className="mono soft">{[m.lot_code, m.serial].filter(Boolean).join(" · ")}</span>}
        </div>
        <End label={t("common:field.to")} id={m.to_place_id} code={m.to_place} plate={m.to_license_plate} status={m.to_status} after={m.to_on_hand_after} unit={m.unit} />
      </div>
      <Columns ratio="minmax(0, 1.4fr) minmax(320px, 1fr)">
        <Panel title={t("common:field.evidence")}>
          <Evidence value={m.evidence} />
        </Panel>
        <Stack>
          <Panel title={t("about_movement")}>
            <Facts
              facts={[
                [t("common:field.cause"), causeTo ? <Link key="c" to={causeTo}>{word("cause", m.cause_kind)}</Link> : word("cause", m.cause_kind)],
                [t("common:field.reason"), m.cause_kind === "return" ? reason(reasonOf(m.reason)) : reason(m.reason)],
                [t("common:field.who"), <Actor key="a" actor={m.actor} />],
                [t("occurred"), <Time key="o" at={m.occurred_at} />],
                [t("recorded"), <Time key="r" at={m.recorded_at} />],
                [t("number"), String(m.seq)],
                [t("chain"), <Link key="l" to={`/movements?correlation_id=${encodeURIComponent(m.correlation_id)}`}>{t("same_chain")}</Link>],
                m.reverses_id ? [t("reverses"), <Link key="v" to={`/movements/${m.reverses_id}`}>{t("original")}</Link>] : null,
                m.reversed_by_id ? [t("reversed_by"), <Link key="b" to={`/movements/${m.reversed_by_id}`}>{t("reversal")}</Link>] : null,
              ]}
            />
          </Panel>
          <Panel title={t("erp")}>
            {m.posting === "nothing" ? (
              <State value="nothing" />
            ) : (
              <LiveView query={posting}>
                {(p) =>
                  p === null ? (
                    <State value="to_post" />
                  ) : (
                    <Facts
                      facts={[
                        [t("common:field.state"), <Link key="s" to={`/outbox/${p.id}`}><State value={p.state} /></Link>],
                        [t("common:field.reference"), <span key="r" className="mono">{p.erp_number ?? p.reference ?? "–"}</span>],
                        p.words !== null && [t("erp_says"), sentence(p.words)],
                      ]}
                    />
                  )
                }
              </LiveView>
            )}
          </Panel>
        </Stack>
      </Columns>
    </>
  );
}

function End(props: { label: string; id: string; code: string; plate: string | null; status: string; after: string | null; unit: string }) {
  const { t } = useTranslation(["stock", "common"]);
  return (
    <div className={classes.end}>
      <span className="soft">{props.label}</span>
      <span className={classes.place}>
        <PlaceLink id={props.id} code={props.code} />
      </span>
      {props.plate && (
        <Link to={`/units/${encodeURIComponent(props.plate)}`} className="mono quiet-link">
          {props.plate}
        </Link>
      )}
      <span>
        <State value={props.status} />
      </span>
      {props.after !== null && (
        <span className="soft">
          {t("after")} <Quantity value={props.after} unit={props.unit} />
        </span>
      )}
    </div>
  );
}
