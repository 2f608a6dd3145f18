import type { CommandIo } from "./command.ts";

/** The io of this process. A closed pipe on stdout ends it without an error. */
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

/** Handlers are set only for commands that wait: on the others, a signal still ends the process at once. */
const waitForSignal = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
