// Bytes as people who debug devices read them: offset, sixteen bytes, the printable ones beside.
export function hexDump(hex: string, most = 64): string {
  const bytes = hex.match(/../g) ?? [];
  const lines: string[] = [];
  for (let at = 0; at < bytes.length && lines.length < most; at += 16) {
    const row = bytes.slice(at, at + 16);
    const text = row.map((byte) => {
      const code = parseInt(byte, 16);
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : ".";
    });
    lines.push(`${at.toString(16).padStart(4, "0")}  ${row.join(" ").padEnd(47)}  ${text.join("")}`);
  }
  if (bytes.length > most * 16) lines.push("…");
  return lines.join("\n");
}
