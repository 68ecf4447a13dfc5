// A photo from the phone's camera, made small before it travels: 1280 px at most, JPEG. What the camera wrote beside the
// picture (place, serial number) does not go along, because it is drawn anew.
export interface Photo {
  /** base64, without the `data:` before it */
  data: string;
  type: "image/jpeg";
}

const LONGEST_PX = 1280;
const QUALITY = 0.72;

export function scaled(width: number, height: number, longest = LONGEST_PX): { width: number; height: number } {
  const factor = Math.min(1, longest / Math.max(width, height, 1));
  return { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
}

export async function shrink(file: Blob): Promise<Photo> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const { width, height } = scaled(bitmap.width, bitmap.height);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error("canvas");
  pen.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return { data: canvas.toDataURL("image/jpeg", QUALITY).split(",")[1] ?? "", type: "image/jpeg" };
}

export const photoUrl = ({ data, type }: Photo): string => `data:${type};base64,${data}`;
