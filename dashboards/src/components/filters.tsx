// Filters live in the address, so that a link shows what its sender saw.
import { SegmentedControl, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { capital } from "./words";
import { useSearchParams } from "react-router";

export function useFilter(name: string, fallback = ""): [string, (value: string | null) => void] {
  const [params, setParams] = useSearchParams();
  const set = (value: string | null) =>
    setParams(
      (previous) => {
        const next = new URLSearchParams(previous);
        if (value === null || value === fallback) next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  return [params.get(name) ?? fallback, set];
}

export function Choice({ name, options, fallback }: { name: string; fallback: string; options: { value: string; label: string }[] }) {
  const [value, set] = useFilter(name, fallback);
  return (
    <SegmentedControl
      style={{ alignSelf: "flex-start" }}
      value={value}
      onChange={set}
      data={options.map((option) => ({ ...option, label: capital(option.label) }))}
      aria-label={name}
    />
  );
}

export function SearchFilter({ name = "q", placeholder, width = 280 }: { name?: string; placeholder: string; width?: number }) {
  const [value, set] = useFilter(name);
  const [text, setText] = useState(value);
  const apply = useDebouncedCallback((next: string) => set(next.trim() || null), 250);
  return (
    <TextInput
      size="sm"
      w={width}
      leftSection={<IconSearch size={15} stroke={1.7} />}
      placeholder={placeholder}
      aria-label={placeholder}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        apply(event.currentTarget.value);
      }}
    />
  );
}
