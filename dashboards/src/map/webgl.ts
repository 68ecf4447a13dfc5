// Whether this browser can draw the map at all; asked once. Where not, the lists say the same.
let answer: boolean | undefined;

export function canDraw(): boolean {
  if (answer === undefined) {
    try {
      const context = document.createElement("canvas").getContext("webgl2");
      answer = context !== null;
      context?.getExtension("WEBGL_lose_context")?.loseContext();
    } catch {
      answer = false;
    }
  }
  return answer;
}
