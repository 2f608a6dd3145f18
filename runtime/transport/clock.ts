/** Timers fire up to about a millisecond late; below this distance we spin on the event loop instead. */
const spinMs = 1.5;

export const nowMs = (): number => performance.now();

/** Runs after the event loop has polled input and output once (in a browser: after the waiting tasks). */
export const afterIo: (task: () => void) => void =
  typeof setImmediate === "function" ? (task) => setImmediate(task) : (task) => setTimeout(task, 0);

/** One clock for all threads and processes of this machine (hrtime is CLOCK_MONOTONIC); a web page has its own. */
export const machineMs: () => number =
  typeof globalThis.process?.hrtime === "function"
    ? () => {
        const [seconds, nanoseconds] = process.hrtime();
        return seconds * 1e3 + nanoseconds / 1e6;
      }
    : () => performance.timeOrigin + performance.now();

/** The time that a shaped link keeps: this machine's, or in a test one that moves by itself. */
export interface Clock {
  readonly nowMs: () => number;
  readonly waitUntil: (timeMs: number) => Promise<void>;
}

/** Waits until `machineMs()` reaches the time, to about 20 µs: first a timer, then a spin that lets other work run. */
export function waitUntil(timeMs: number): Promise<void> {
  return new Promise((resolve) => {
    const spin = (): void => (machineMs() >= timeMs ? resolve() : afterIo(spin));
    const left = timeMs - machineMs();
    if (left > spinMs) setTimeout(spin, left - spinMs);
    else spin();
  });
}

export const machineClock: Clock = { nowMs: machineMs, waitUntil };
