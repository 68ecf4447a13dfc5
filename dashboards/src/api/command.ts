// A write. One Idempotency-Key belongs to one user action: the automatic retries and a second press on the same input
// carry the same key, so that doing it twice is doing it once; a refusal or a success ends the action.
import { useMutation, useQueryClient, type UseMutationResult } from "@tanstack/react-query";
import { useRef } from "react";
import type { Problem} from "./problem";
import { asProblem } from "./problem";
import type { Topic } from "@/live/topics";

export interface Key {
  "idempotency-key": string;
}

export function newKey(): string {
  // randomUUID exists on https and localhost only; a handheld may come over plain http.
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Remembers the key of the action under way. */
export class ActionKey {
  #input: string | null = null;
  #key = "";

  of(input: unknown): string {
    const text = JSON.stringify(input) ?? "";
    if (this.#input !== text) {
      this.#input = text;
      this.#key = newKey();
    }
    return this.#key;
  }

  end(): void {
    this.#input = null;
  }
}

export interface CommandOptions<I, O> {
  /** Lists that show what this command changed; they are fetched again. */
  changes?: readonly Topic[];
  onDone?: (output: O, input: I) => void;
}

export function useCommand<I, O>(
  send: (input: I, headers: Key) => Promise<O>,
  { changes = [], onDone }: CommandOptions<I, O> = {},
): UseMutationResult<O, Problem, I> {
  const queries = useQueryClient();
  const action = useRef<ActionKey>(null);
  action.current ??= new ActionKey();
  return useMutation<O, Problem, I>({
    mutationFn: (input) => {
      action.current ??= new ActionKey();
      return send(input, { "idempotency-key": action.current.of(input) }).catch((error: unknown) => {
        throw asProblem(error);
      });
    },
    retry: (count, problem) => problem.worthRetrying && problem.status !== 500 && count < 2,
    retryDelay: (count) => 400 * 2 ** count,
    onError: (problem) => {
      if (!problem.worthRetrying) action.current?.end();
    },
    onSuccess: async (output, input) => {
      action.current?.end();
      onDone?.(output, input);
      await queries.invalidateQueries({
        predicate: (query) => (query.meta?.["topics"] as Topic[] | undefined)?.some((topic) => changes.includes(topic)) ?? false,
      });
    },
  });
}
