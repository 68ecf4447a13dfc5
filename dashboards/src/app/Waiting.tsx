import { LoadingRows } from "@/components/views";

export function Waiting() {
  return (
    <div style={{ padding: 24, maxWidth: 900 }}>
      <LoadingRows rows={6} />
    </div>
  );
}
