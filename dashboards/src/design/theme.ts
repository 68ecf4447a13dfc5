// Mantine drawn with our tokens: components follow tokens.css in light and dark.
import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const accent: MantineColorsTuple = [
  "#eaf0fe", "#d3dffb", "#a6bdf7", "#7799f2", "#4f7bec", "#386ae4", "#2b5cd9", "#224cbb", "#1b3d97", "#142e73",
];

// Mantine draws its dark surfaces from this scale: ours, from ink to the deepest surface.
const dark: MantineColorsTuple = [
  "#e6ebf2", "#c3ccd7", "#a0acba", "#6b7989", "#3d4a5a", "#2c3744", "#1d2631", "#171e27", "#0f141b", "#0b0f15",
];

export const theme = createTheme({
  primaryColor: "accent",
  colors: { accent, dark },
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  fontSizes: { xs: "0.78rem", sm: "0.86rem", md: "0.94rem", lg: "1.06rem", xl: "1.25rem" },
  headings: { fontWeight: "620", sizes: { h1: { fontSize: "1.4rem", lineHeight: "1.3" }, h2: { fontSize: "1.06rem", lineHeight: "1.35" }, h3: { fontSize: "0.94rem", lineHeight: "1.4" } } },
  defaultRadius: "md",
  radius: { xs: "3px", sm: "5px", md: "7px", lg: "10px", xl: "16px" },
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: "sm" } },
    TextInput: { defaultProps: { size: "sm" } },
    Select: { defaultProps: { size: "sm", checkIconPosition: "right", comboboxProps: { shadow: "md" } } },
    SegmentedControl: { defaultProps: { size: "xs" }, styles: { root: { background: "var(--surface-sunken)" }, label: { fontWeight: 500 } } },
    Tooltip: { defaultProps: { openDelay: 250, withArrow: true, multiline: true, maw: 360 } },
    Tabs: { defaultProps: { keepMounted: false } },
  },
});

export const cssVariables: CSSVariablesResolver = () => {
  const both = {
    "--mantine-color-body": "var(--surface-raised)",
    "--mantine-color-text": "var(--ink)",
    "--mantine-color-dimmed": "var(--ink-soft)",
    "--mantine-color-placeholder": "var(--ink-soft)",
    "--mantine-color-default": "var(--surface-raised)",
    "--mantine-color-default-hover": "var(--surface-hover)",
    "--mantine-color-default-color": "var(--ink)",
    "--mantine-color-default-border": "var(--line)",
    "--mantine-color-anchor": "var(--accent-ink)",
    "--mantine-color-error": "var(--tone-bad-ink)",
    "--mantine-color-accent-light": "var(--accent-soft)",
    "--mantine-color-accent-light-hover": "var(--accent-soft)",
    "--mantine-color-accent-light-color": "var(--accent-ink)",
    "--mantine-primary-color-light": "var(--accent-soft)",
    "--mantine-primary-color-light-hover": "var(--accent-soft)",
    "--mantine-primary-color-light-color": "var(--accent-ink)",
  };
  return { variables: {}, light: both, dark: both };
};
