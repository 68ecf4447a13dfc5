// A page of paper in a tab of its own, with the browser's print dialog on it.

/** Within the press of the button: a tab that is opened later, when the page has come, the browser blocks. */
export const openTab = (): Window | null => window.open("", "_blank");

const ASKS_TO_PRINT = "<script>addEventListener('load', () => print())</script>";

/** `blocked` is what to say where the browser opened no tab. */
export async function showToPrint(tab: Window | null, load: () => Promise<string>, blocked: string): Promise<void> {
  if (!tab) throw new Error(blocked);
  try {
    const page = new Blob([await load(), ASKS_TO_PRINT], { type: "text/html;charset=utf-8" });
    tab.location.replace(URL.createObjectURL(page)); // lives as long as this screen, so that the tab can be reloaded
  } catch (error) {
    tab.close();
    throw error;
  }
}
