// What a gloved hand and a noisy hall notice: a sound and a vibration with every answer.
export type Tone = "good" | "bad" | "warn" | "heard";

const NOTES: Record<Tone, { wave: OscillatorType; volume: number; notes: [hz: number, atMs: number, forMs: number][] }> = {
  heard: { wave: "sine", volume: 0.05, notes: [[1400, 0, 25]] },
  good: { wave: "sine", volume: 0.25, notes: [[880, 0, 70], [1320, 70, 90]] },
  warn: { wave: "triangle", volume: 0.3, notes: [[520, 0, 120], [520, 180, 120]] },
  bad: { wave: "square", volume: 0.22, notes: [[170, 0, 420]] },
};
const BUZZ: Record<Tone, number[]> = { heard: [], good: [40], warn: [90, 60, 90], bad: [350] };

let audio: AudioContext | null = null;

export function signal(tone: Tone): void {
  if (BUZZ[tone].length > 0 && "vibrate" in navigator) navigator.vibrate(BUZZ[tone]);
  try {
    audio ??= new AudioContext({ latencyHint: "interactive" });
    if (audio.state === "suspended") void audio.resume();
    const { wave, volume, notes } = NOTES[tone];
    for (const [hz, atMs, forMs] of notes) play(audio, wave, volume, hz, audio.currentTime + atMs / 1000, forMs / 1000);
  } catch {
    // A browser without sound still shows and vibrates.
  }
}

function play(context: AudioContext, wave: OscillatorType, volume: number, hz: number, at: number, seconds: number): void {
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.type = wave;
  oscillator.frequency.value = hz;
  gain.gain.setValueAtTime(volume, at);
  gain.gain.exponentialRampToValueAtTime(0.001, at + seconds);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + seconds);
}
