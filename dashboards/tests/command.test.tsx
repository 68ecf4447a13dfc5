import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, test } from "vitest";
import { ActionKey, useCommand } from "@/api/command";
import { Problem } from "@/api/problem";

function wrapper({ children }: { children: ReactNode }) {
  return <QueryClientProvider client={new QueryClient()}>{children}</QueryClientProvider>;
}

const unreachable = () => new Problem({ type: "x", title: "x", status: 0 });
const refused = () => new Problem({ type: "x", title: "x", status: 409 });

function recorded(answers: ((key: string) => unknown)[]) {
  const keys: string[] = [];
  const send = (_: number, header: { "idempotency-key": string }) => {
    keys.push(header["idempotency-key"]);
    const answer = answers[Math.min(keys.length, answers.length) - 1];
    return Promise.resolve().then(() => answer?.(header["idempotency-key"]));
  };
  return { keys, send };
}

const fail = (make: () => Problem) => () => {
  throw make();
};

test("an automatic retry carries the key of its action", async () => {
  const { keys, send } = recorded([fail(unreachable), () => "ok"]);
  const { result } = renderHook(() => useCommand(send), { wrapper });
  act(() => result.current.mutate(1));
  await waitFor(() => expect(result.current.isSuccess).toBe(true));
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
});

test("the same thing done again on purpose gets a new key", async () => {
  const { keys, send } = recorded([() => "ok"]);
  const { result } = renderHook(() => useCommand(send), { wrapper });
  act(() => result.current.mutate(1));
  await waitFor(() => expect(result.current.isSuccess).toBe(true));
  await act(() => result.current.mutateAsync(1));
  expect(new Set(keys).size).toBe(2);
});

test("a refusal ends the action; it is not retried and the next press is a new one", async () => {
  const { keys, send } = recorded([fail(refused), () => "ok"]);
  const { result } = renderHook(() => useCommand(send), { wrapper });
  act(() => result.current.mutate(1));
  await waitFor(() => expect(result.current.isError).toBe(true));
  expect(keys).toHaveLength(1);
  await act(() => result.current.mutateAsync(1));
  expect(new Set(keys).size).toBe(2);
});

test("another input is another action", () => {
  const key = new ActionKey();
  const first = key.of({ quantity: "1" });
  expect(key.of({ quantity: "1" })).toBe(first);
  expect(key.of({ quantity: "2" })).not.toBe(first);
});
