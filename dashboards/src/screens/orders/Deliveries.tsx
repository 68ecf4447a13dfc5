// How an order reaches its customer: each attempt with its times, what happened at the door with its proof, and the link the
// customer may follow.
import { Button, CopyButton } from "@mantine/core";
import { IconCheck, IconCopy, IconLink } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useCommand } from "@/api/command";
import { useMay } from "@/app/may";
import { Actor } from "@/components/Actor";
import { Code } from "@/components/Code";
import { FormDialog, text } from "@/components/CommandForm";
import { DataTable, type Column } from "@/components/DataTable";
import { Facts } from "@/components/facts";
import { ItemLink } from "@/components/MovementTable";
import { Panel } from "@/components/Page";
import { Quantity } from "@/components/Quantity";
import { State, type Tone } from "@/components/State";
import { useNow } from "@/components/now";
import { Time } from "@/components/Time";
import { clockTime, fullTime } from "@/components/times";
import { ErrorState } from "@/components/views";
import { deliveriesOfQuery, makeTrackingLink, proofPhotoQuery, proofsOfQuery, type DeliveryJob, type Proof, type ProofLine } from "@/data/deliveries";
import { changeJob } from "@/data/dispatch";
import { sentence } from "@/i18n/sentences";
import { dayAt } from "../settings/shiftTimes";
import { useZone } from "@/data/site";
import classes from "./Deliveries.module.css";

const TONE: Record<DeliveryJob["state"], Tone> = {
  to_review: "warn", ready: "wait", planned: "wait", released: "busy", aboard: "busy", delivered: "ok", partly_delivered: "warn", refused: "bad", nobody_there: "warn", cancelled: "off",
};
const OVER: ReadonlySet<DeliveryJob["state"]> = new Set(["delivered", "partly_delivered", "refused", "nobody_there", "cancelled"]);

/** Nothing at all where the order is not brought by our own vans. */
export function Deliveries({ orderId }: { orderId: string }) {
  const jobs = useQuery(deliveriesOfQuery(orderId));
  const may = useMay();
  const proofs = useQuery({ ...proofsOfQuery(orderId), enabled: may("driver", "lead", "dispatcher", "integrator") && (jobs.data?.length ?? 0) > 0 });
  if (!jobs.data || jobs.data.length === 0) return null;
  const byJob = new Map(proofs.data?.map((proof) => [proof.job_id, proof]));
  return (
    <>
      {[...jobs.data].sort((a, b) => b.attempt - a.attempt || b.created_at.localeCompare(a.created_at)).map((job) => (
        <OneDelivery key={job.id} job={job} proof={byJob.get(job.id)} />
      ))}
    </>
  );
}

function OneDelivery({ job, proof }: { job: DeliveryJob; proof: Proof | undefined }) {
  const { t } = useTranslation(["orders", "common"]);
  const may = useMay();
  const zone = useZone();
  const day = dayAt(new Date(job.window_from), zone);
  const [changing, setChanging] = useState(false);
  return (
    <Panel
      title={<>{t("delivery.title")} {job.number} <State value={job.state} group="orders:delivery.state" tone={TONE[job.state]} /></>}
      actions={
        !OVER.has(job.state) && (
          <>
            {may("dispatcher", "lead") && (
              <Button size="xs" variant="default" onClick={() => setChanging(true)}>
                {t("change")}
              </Button>
            )}
            {may("lead", "dispatcher", "integrator") && <TrackingLink jobId={job.id} />}
          </>
        )
      }
    >
      <div className={classes.delivery}>
        <Facts
          facts={[
            [t("common:field.address"), job.address],
            [t("delivery.window"), <Span key="w" from={job.window_from} until={job.window_until} />],
            job.promised_from !== null && [t("delivery.promised"), <Span key="p" from={job.promised_from} until={job.promised_until ?? job.promised_from} />],
            job.attempt > 1 && [t("delivery.attempt"), String(job.attempt)],
            job.route_number !== null && [t("delivery.route"), <Link key="r" className="quiet-link" to={`/dispatch?day=${day}&route=${job.route_id ?? ""}`}>{job.route_number}</Link>],
            job.reason !== null && !OVER.has(job.state) && [t("delivery.not_planned"), sentence(job.detail) || job.reason.replaceAll("_", " ")],
            job.note !== "" && [t("common:field.note"), job.note],
          ]}
        />
        {proof && <WhatHappened proof={proof} />}
      </div>
      {proof && <ProofLines proof={proof} />}
      {changing && <ChangeDialog job={job} onClose={() => setChanging(false)} />}
    </Panel>
  );
}

function ChangeDialog({ job, onClose }: { job: DeliveryJob; onClose: () => void }) {
  const { t } = useTranslation(["orders", "common"]);
  const change = useCommand(changeJob, { changes: ["deliveries"] });
  return (
    <FormDialog
      title={`${t("delivery.title")} ${job.number}`}
      opened
      onClose={onClose}
      command={change}
      fields={[
        { name: "address", label: t("common:field.address"), hint: t("delivery.address_hint"), required: true, initial: job.address },
        { name: "phone", label: t("delivery.phone"), initial: job.phone },
        { name: "note", label: t("common:field.note"), kind: "textarea", initial: job.note },
      ]}
      toInput={(values) => {
        const address = text(values["address"]);
        return { id: job.id, version: job.version, ...(address === job.address ? {} : { address }), phone: text(values["phone"]), note: text(values["note"]) };
      }}
      submit={t("common:action.save")}
      done={t("common:action.saved")}
    />
  );
}

/** Hours that were agreed: nobody agrees on seconds. */
function Span({ from, until }: { from: string; until: string }) {
  const { i18n } = useTranslation();
  const zone = useZone();
  const now = useNow();
  const clock = (at: string) => clockTime(new Date(at), new Date(now), i18n.language, zone);
  return <span className="nowrap" title={fullTime(new Date(until), i18n.language, zone)}>{clock(from)} – {clock(until)}</span>;
}

function WhatHappened({ proof }: { proof: Proof }) {
  const { t } = useTranslation(["orders", "common"]);
  const reason = useReason();
  return (
    <div className={classes.proof} data-testid="proof">
      <Facts
        facts={[
          [t("delivery.happened"), <Time key="t" at={proof.occurred_at} age />],
          proof.receiver_name !== "" && [t("delivery.receiver"), proof.receiver_name],
          proof.reason !== "" && [t("common:field.reason"), reason(proof.reason)],
          [t("delivery.driver"), <Actor key="a" actor={proof.actor} />],
        ]}
      />
      <div className={classes.pictures}>
        {proof.signature_svg && (
          <figure>
            {/* Drawn as an image: nothing in it can run. */}
            <img src={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(proof.signature_svg)}`} alt={t("delivery.signature")} data-testid="signature" />
            <figcaption>{t("delivery.signature")}</figcaption>
          </figure>
        )}
        {proof.photo_type && <PhotoOf proof={proof} />}
      </div>
    </div>
  );
}

function PhotoOf({ proof }: { proof: Proof }) {
  const { t } = useTranslation("orders");
  const photo = useQuery(proofPhotoQuery(proof.id));
  if (photo.error) return <ErrorState error={photo.error} compact />;
  return (
    <figure>
      {photo.data && <img src={photo.data} alt={t("delivery.photo")} data-testid="photo" />}
      <figcaption>{t("delivery.photo")}</figcaption>
    </figure>
  );
}

function ProofLines({ proof }: { proof: Proof }) {
  const { t } = useTranslation(["orders", "common"]);
  const reason = useReason();
  const columns: Column<ProofLine>[] = [
    { key: "sscc", header: t("carton"), cell: (line) => <Code value={line.sscc} to={`/units/${encodeURIComponent(line.sscc)}`} keep={24} /> },
    { key: "item", header: t("common:field.item"), grow: true, cell: (line) => <ItemLink id={line.item_id} sku={line.sku} name={line.name} /> },
    { key: "lot", header: t("common:field.lot"), cell: (line) => <span className="mono">{line.lot ?? line.serial ?? "–"}</span> },
    { key: "aboard", header: t("delivery.aboard"), align: "right", cell: (line) => <Quantity value={line.aboard} unit={line.unit} /> },
    { key: "delivered", header: t("delivery.handed"), align: "right", cell: (line) => <Quantity value={line.delivered} unit={line.unit} /> },
    { key: "reason", header: t("common:field.reason"), cell: (line) => (line.reason ? reason(line.reason) : "–") },
    { key: "scanned", header: t("delivery.scanned"), cell: (line) => t(line.scanned ? "delivery.by_scan" : "delivery.by_tick") },
  ];
  return (
    <div className={classes.lines}>
      <DataTable label={t("delivery.handed")} rows={proof.lines} columns={columns} rowKey={(line) => `${line.carton_id}${line.item_id}${line.lot ?? ""}${line.serial ?? ""}`} tone={(line) => (line.delivered !== line.aboard ? "warn" : undefined)} />
    </div>
  );
}

/** Reasons chosen on the driver's screen are words of ours; what was added is the driver's own. */
function useReason(): (reason: string) => string {
  const { t, i18n } = useTranslation("orders");
  return (reason) => {
    const [word = "", ...rest] = reason.split(": ");
    const key = `orders:delivery.reason.${word}`;
    const said = i18n.exists(key) ? t(`delivery.reason.${word}` as "delivery.reason.damaged") : word;
    return rest.length > 0 ? `${said}: ${rest.join(": ")}` : said;
  };
}

/** A link is told once and copied at once; another press makes another link to the same delivery. */
function TrackingLink({ jobId }: { jobId: string }) {
  const { t } = useTranslation(["orders", "common"]);
  const make = useCommand(makeTrackingLink);
  const url = make.data ? new URL(make.data.url, window.location.origin).href : null;
  if (!url) {
    return (
      <Button size="xs" variant="default" leftSection={<IconLink size={15} />} loading={make.isPending} onClick={() => make.mutate(jobId)} data-testid="tracking-link">
        {t("delivery.link")}
      </Button>
    );
  }
  return (
    <>
      <a href={url} target="_blank" rel="noreferrer" className={`mono ${classes.link}`} data-testid="tracking-url">{url}</a>
      <CopyButton value={url} timeout={2000}>
        {({ copied, copy }) => (
          <Button size="xs" variant="light" leftSection={copied ? <IconCheck size={15} /> : <IconCopy size={15} />} onClick={copy}>
            {t(copied ? "common:action.copied" : "delivery.copy")}
          </Button>
        )}
      </CopyButton>
    </>
  );
}
