import type { CommandIo } from "./command.ts";

/** The real process. Output into a pipe that nobody reads any more ends quietly. */
export function processIo(): CommandIo {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
    environment: process.env,
    get interrupted() {
      return waitForSignal();
    },
  };
}

/** Only commands that ask for it take the signals away from Node: the others end at once. */
const waitForSignal = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
