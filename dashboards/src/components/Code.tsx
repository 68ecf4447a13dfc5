// Codes people compare by eye: EPC, SSCC, GTIN, lot. Long ones keep both ends; a press copies the whole.
import { CopyButton, Tooltip, UnstyledButton } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import classes from "./Code.module.css";

export function shorten(code: string, keep = 18): string {
  if (code.length <= keep) return code;
  const tail = Math.floor(keep * 0.55);
  return `${code.slice(0, keep - tail - 1)}…${code.slice(-tail)}`;
}

export function Code({ value, to, keep = 20 }: { value: string | null | undefined; to?: string; keep?: number }) {
  const { t } = useTranslation();
  if (!value) return <span className="soft">–</span>;
  const text = shorten(value, keep);
  if (to) {
    return (
      <Link to={to} className={`mono quiet-link ${classes.code}`} title={value} onClick={(event) => event.stopPropagation()}>
        {text}
      </Link>
    );
  }
  return (
    <CopyButton value={value} timeout={1500}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? t("action.copied") : value}>
          <UnstyledButton
            className={`mono ${classes.code}`}
            onClick={(event) => {
              event.stopPropagation();
              copy();
            }}
          >
            {text}
          </UnstyledButton>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** An EPC opens the unit it names. */
export function EpcText({ epc }: { epc: string | null | undefined }) {
  return <Code value={epc} to={epc ? `/units/${encodeURIComponent(epc)}` : undefined} keep={22} />;
}
