// Chapters of one screen, in the address. Only the open one is mounted and asks for data.
import { Tabs } from "@mantine/core";
import type { ReactNode } from "react";
import { useFilter } from "./filters";

export interface Tab {
  value: string;
  label: ReactNode;
  content: () => ReactNode;
}

export function ScreenTabs({ tabs, name = "tab" }: { tabs: Tab[]; name?: string }) {
  const [first] = tabs;
  const [value, set] = useFilter(name, first?.value ?? "");
  const open = tabs.find((tab) => tab.value === value) ?? first;
  return (
    <Tabs value={open?.value ?? null} onChange={set}>
      <Tabs.List mb="md">
        {tabs.map((tab) => (
          <Tabs.Tab key={tab.value} value={tab.value}>
            {tab.label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <div style={{ display: "flex", flexDirection: "column", gap: 14 }}>{open?.content()}</div>
    </Tabs>
  );
}
