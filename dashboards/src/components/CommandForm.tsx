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
  /** Of twelve columns, where half is not it. */
  span?: number;
  /** Its label is heard and not seen: a column's name stands above already. */
  bare?: boolean;
  /** What the backend calls it, where that is not its name here: a refusal of that is shown at this field. */
  refusedAs?: string;
  /** Draws it instead of one of the kinds. */
  render?: (input: Drawn) => ReactNode;
}

/** What a field of its own look gets. */
export interface Drawn {
  input: { label?: string; "aria-label"?: string; description?: string; error?: string; required?: boolean; withAsterisk?: boolean };
  value: string;
  /** Other fields too, where one follows from another. */
  fill: (values: Values) => void;
}

export interface CommandFormProps<I, O> {
  /** As a function of what is filled in, where one field depends on another. */
  fields: Field[] | ((values: Values) => Field[]);
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

export function CommandForm<I, O>({ fields: described, command, toInput, submit, onDone, onCancel, danger = false, before }: CommandFormProps<I, O>) {
  const { t } = useTranslation();
  const fieldsOf = (now: Values) => (typeof described === "function" ? described(now) : described);
  const withBlanks = (now: Values): Values => ({ ...Object.fromEntries(fieldsOf(now).map((field) => [field.name, blank(field)])), ...now });
  const [filled, setValues] = useState<Values>(() => withBlanks({}));
  const values = withBlanks(filled);
  const fields = fieldsOf(values);
  const fill = (more: Values) => {
    setValues((now) => ({ ...now, ...more }));
    if (command.error) command.reset();
  };
  const problem = command.error;
  const named = new Map(fields.map((field) => [field.refusedAs ?? field.name, field.name]));
  const errors = new Map<string, string>();
  for (const found of problem?.body.errors ?? []) {
    const at = named.get(found.field ?? "");
    if (at) errors.set(at, found.detail ?? "");
  }
  const refused = named.get(problem?.field ?? "");
  if (problem && refused && !errors.has(refused)) errors.set(refused, problem.body.detail ?? problem.body.title);

  const send = (event: FormEvent) => {
    event.preventDefault();
    event.stopPropagation();
    command.mutate(toInput(values), { onSuccess: (output) => onDone?.(output) });
  };

  return (
    <form onSubmit={send}>
      <Stack gap="sm">
        {typeof before === "function" ? before(fill) : before}
        <div style={{ display: "grid", gridTemplateColumns: "repeat(12, minmax(0, 1fr))", gap: 12 }}>
          {fields.map((field) => (
            <div key={field.name} style={{ gridColumn: `span ${field.span ?? (field.half ? 6 : 12)}` }}>
              <Input field={field} value={values[field.name] ?? blank(field)} error={errors.get(field.name)} fill={fill} />
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

function Input({ field, value, error, fill }: { field: Field; value: Value; error: string | undefined; fill: (values: Values) => void }) {
  const set = (next: Value) => fill({ [field.name]: next });
  const common = { ...(field.bare ? { "aria-label": field.label } : { label: field.label }), description: field.hint, error, required: field.required, withAsterisk: field.required };
  const text = typeof value === "string" ? value : "";
  if (field.render) return field.render({ input: common, value: text, fill });
  switch (field.kind) {
    case "check":
      return <Checkbox label={field.label} description={field.hint} error={error} checked={value === true} onChange={(event) => set(event.currentTarget.checked)} />;
    case "select":
      return <Select {...common} searchable={(field.options?.length ?? 0) > 8} clearable={!field.required} data={field.options ?? []} value={text || null} onChange={(next) => set(next ?? "")} />;
    case "many":
      return <MultiSelect {...common} searchable={(field.options?.length ?? 0) > 8} data={field.options ?? []} value={Array.isArray(value) ? value : []} onChange={set} />;
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

export function FormDialog<I, O>({ title, opened, onClose, done, wide = false, ...form }: CommandFormProps<I, O> & { title: string; opened: boolean; onClose: () => void; done?: string; wide?: boolean }) {
  const close = () => {
    form.command.reset();
    onClose();
  };
  return (
    <Modal opened={opened} onClose={close} title={title} size={wide ? "xl" : "lg"} radius="lg" centered styles={{ title: { fontWeight: 640 } }}>
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
