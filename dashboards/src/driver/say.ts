// How the driver's screen says times and refusals.
import { useTranslation } from "react-i18next";
import { asProblem, UNREACHABLE, type ProblemBody } from "@/api/problem";
import { clockTime } from "@/components/times";
import { useZone } from "@/data/site";

export function useClock(): (at: string) => string {
  const { i18n } = useTranslation();
  const zone = useZone();
  return (at) => clockTime(new Date(at), new Date(), i18n.language, zone);
}

export interface Said {
  title: string;
  detail: string;
  expected?: string;
  seen?: string;
}

/** A refusal: what kind it is in the driver's language, the backend's own sentence, what was expected and what was seen. */
export function useRefusal(): (problem: ProblemBody, code?: string) => Said {
  const { t, i18n } = useTranslation(["driver", "common"]);
  return (problem, code) => {
    const kind = problem.type.split("/").at(-1) ?? "";
    const known = (key: string) => (i18n.exists(key) ? t(key as "driver:problem.conflict") : "");
    const title = known(`driver:problem.${kind}`) || known(`common:problem.kind.${kind}`) || t("driver:answer.failed");
    return {
      title,
      detail: problem.type === UNREACHABLE ? t("driver:net.not_reached") : problem.status >= 500 ? t("driver:net.fault") : (problem.detail ?? problem.title),
      expected: words(problem["expected"]),
      seen: short(words(problem["seen"]) ?? code),
    };
  };
}

export function useProblemSentence(): (error: unknown) => string {
  const refusal = useRefusal();
  return (error) => refusal(asProblem(error).body).detail;
}

function words(value: unknown): string | undefined {
  if (typeof value === "string") return value || undefined;
  if (Array.isArray(value)) return value.filter((one) => typeof one === "string").slice(0, 3).map(short).join(", ") || undefined;
  return undefined;
}

function short(code: string | undefined): string | undefined {
  return code && /\d{18}$/.test(code) ? shortSscc(code) : code;
}

/** An SSCC as eyes compare it: the last eight digits, in two groups of four that stay together. */
export function shortSscc(sscc: string): string {
  const tail = sscc.slice(-8);
  return `…\u00a0${tail.slice(0, 4)}\u00a0${tail.slice(4)}`;
}
