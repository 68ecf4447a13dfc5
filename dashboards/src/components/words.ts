/** A word at the start of a label: states are written small, labels begin large. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
