// A form for one command: fields described as data, the backend's refusal shown at the field it names.
import { Button, Checkbox, Group, Modal, MultiSelect, PasswordInput, Select, Stack, Textarea, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState, type FormEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { UseMutationResult } from "@tanstack/react-query";
import type { Problem } from "@/api/problem";
import { ErrorState } from "./views";

export type Value = string | boolean | string[];
export type Values = Record<string, Value>;

export interface Field {
  name: string;
  label: string;
  kind?: "text" | "quantity" | "password" | "textarea" | "select" | "many" | "check" | "date" | "time";
  options?: { value: string; label: string }[];
  required?: boolean;
  hint?: string;
  initial?: Value;
  half?: boolean;
}

export interface CommandFormProps<I, O> {
  fields: Field[];
  command: UseMutationResult<O, Problem, I>;
  /** The input of the command from what was filled in. */
  toInput: (values: Values) => I;
  submit: string;
  onDone?: (output: O) => void;
  onCancel?: () => void;
  danger?: boolean;
  /** Above the fields; as a function it may fill them in. */
  before?: ReactNode | ((fill: (values: Values) => void) => ReactNode);
}

const blank = (field: Field): Value => field.initial ?? (field.kind === "check" ? false : field.kind === "many" ? [] : "");

export function CommandForm<I, O>({ fields, command, toInput, submit, onDone, onCancel, danger = false, before }: CommandFormProps<I, O>) {
  const { t } = useTranslation();
  const [values, setValues] = useState<Values>(() => Object.fromEntries(fields.map((field) => [field.name, blank(field)])));
  const set = (name: string, value: Value) => {
    setValues((now) => ({ ...now, [name]: value }));
    if (command.error) command.reset();
  };
  const problem = command.error;
  const named = new Set(fields.map((field) => field.name));
  const errors = new Map<string, string>();
  for (const found of problem?.body.errors ?? []) if (found.field && named.has(found.field)) errors.set(found.field, found.detail ?? "");
  if (problem?.field && named.has(problem.field) && !errors.has(problem.field)) errors.set(problem.field, problem.body.detail ?? problem.body.title);

  const send = (event: FormEvent) => {
    event.preventDefault();
    event.stopPropagation();
    command.mutate(toInput(values), { onSuccess: (output) => onDone?.(output) });
  };

  return (
    <form onSubmit={send}>
      <Stack gap="sm">
        {typeof before === "function" ? before((more) => setValues((now) => ({ ...now, ...more }))) : before}
        <div style={{ display: "grid", gridTemplateColumns: "1fr 1fr", gap: 12 }}>
          {fields.map((field) => (
            <div key={field.name} style={{ gridColumn: field.half ? undefined : "1 / -1" }}>
              <Input field={field} value={values[field.name] ?? blank(field)} error={errors.get(field.name)} set={(value) => set(field.name, value)} />
            </div>
          ))}
        </div>
        {problem && errors.size === 0 && <ErrorState error={problem} compact />}
        <Group justify="flex-end" gap="xs">
          {onCancel && (
            <Button variant="default" onClick={onCancel}>
              {t("action.cancel")}
            </Button>
          )}
          <Button type="submit" loading={command.isPending} color={danger ? "red" : undefined}>
            {submit}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Input({ field, value, error, set }: { field: Field; value: Value; error: string | undefined; set: (value: Value) => void }) {
  const common = { label: field.label, description: field.hint, error, required: field.required, withAsterisk: field.required };
  const text = typeof value === "string" ? value : "";
  switch (field.kind) {
    case "check":
      return <Checkbox label={field.label} description={field.hint} error={error} checked={value === true} onChange={(event) => set(event.currentTarget.checked)} />;
    case "select":
      return <Select {...common} searchable={(field.options?.length ?? 0) > 8} clearable={!field.required} data={field.options ?? []} value={text || null} onChange={(next) => set(next ?? "")} />;
    case "many":
      return <MultiSelect {...common} data={field.options ?? []} value={Array.isArray(value) ? value : []} onChange={set} />;
    case "password":
      return <PasswordInput {...common} autoComplete="new-password" value={text} onChange={(event) => set(event.currentTarget.value)} />;
    case "textarea":
      return <Textarea {...common} autosize minRows={2} value={text} onChange={(event) => set(event.currentTarget.value)} />;
    default:
      return (
        <TextInput
          {...common}
          type={field.kind === "date" || field.kind === "time" ? field.kind : "text"}
          inputMode={field.kind === "quantity" ? "decimal" : undefined}
          value={text}
          onChange={(event) => set(event.currentTarget.value)}
        />
      );
  }
}

/** The value of an optional field: null where nothing was filled in. */
export function orNull(value: Value | undefined): string | null {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
}

export function text(value: Value | undefined): string {
  return typeof value === "string" ? value.trim() : "";
}

export function many(value: Value | undefined): string[] {
  return Array.isArray(value) ? value : [];
}

export function FormDialog<I, O>({ title, opened, onClose, done, ...form }: CommandFormProps<I, O> & { title: string; opened: boolean; onClose: () => void; done?: string }) {
  const close = () => {
    form.command.reset();
    onClose();
  };
  return (
    <Modal opened={opened} onClose={close} title={title} size="lg" radius="lg" centered styles={{ title: { fontWeight: 640 } }}>
      {opened && (
        <CommandForm
          {...form}
          onCancel={close}
          onDone={(output) => {
            form.onDone?.(output);
            if (done) notifications.show({ message: done, color: "teal" });
            onClose();
          }}
        />
      )}
    </Modal>
  );
}
