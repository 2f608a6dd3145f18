import type { Io } from "./command.ts";

/** The real process. Output into a pipe that nobody reads any more ends quietly. */
export function processIo(): Io {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    watched: process.stderr.isTTY === true,
    environment: process.env,
    get interrupted() {
      return signalled();
    },
  };
}

/** Only commands that ask for it take the signals away from Node: the others end at once. */
const signalled = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
