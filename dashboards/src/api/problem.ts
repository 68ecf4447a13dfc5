// An answer that is not a success, in the words of RFC 9457. `title` and `detail` are sentences a person can act on.
import { sentence, words } from "@/i18n/sentences";

export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail?: string;
  field?: string;
  errors?: { field?: string; message?: string; detail?: string }[];
  [more: string]: unknown;
}

/** The backend refused, or could not be reached (`status` 0). */
export class Problem extends Error {
  readonly body: ProblemBody;

  constructor(body: ProblemBody) {
    super(body.detail ?? body.title);
    this.name = "Problem";
    this.body = body;
  }

  get status(): number {
    return this.body.status;
  }

  get field(): string | undefined {
    return this.body.field;
  }

  /** No answer arrived, or the server failed: the same command may be sent again with the same key. */
  get worthRetrying(): boolean {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }
}

export const UNREACHABLE = "stowage:unreachable";
export const UNREADABLE = "stowage:unreadable";

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem({ type: UNREACHABLE, title: UNREACHABLE, status: 0, detail });
}

export function problemOf(status: number, body: unknown): Problem {
  if (typeof body === "object" && body !== null && "title" in body) {
    return new Problem(translated({ type: "about:blank", ...(body as { title: string }), status }));
  }
  return new Problem({ type: UNREADABLE, title: UNREADABLE, status, detail: typeof body === "string" ? body.slice(0, 300) : undefined });
}

/** The backend's sentences in the person's language: here once for every place that shows a problem. */
function translated(body: ProblemBody): ProblemBody {
  const said: ProblemBody = { ...body, title: sentence(body.title), detail: sentence(body.detail) };
  for (const list of ["errors", "violations"]) {
    const found = body[list];
    if (Array.isArray(found)) said[list] = found.map((one: { detail?: string }) => ({ ...one, detail: sentence(one.detail) }));
  }
  const { expected } = body;
  if (typeof expected === "string") said["expected"] = words(expected);
  else if (Array.isArray(expected)) said["expected"] = expected.map((one: unknown) => (typeof one === "string" ? words(one) : one));
  return said;
}
