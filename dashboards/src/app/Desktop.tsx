// The component library, drawn with our tokens, around everything that is not the handheld.
import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { Outlet } from "react-router";
import { cssVariables, theme } from "@/design/theme";

export default function Desktop() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <Notifications position="bottom-right" limit={4} />
      <Outlet />
    </MantineProvider>
  );
}
