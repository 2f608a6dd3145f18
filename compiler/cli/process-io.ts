import type { CommandIo } from "./command.ts";

/**
 * The io of this process. A closed pipe on stdout ends it without an error; a full disk behind stdout is an error of
 * the user's machine. What cannot be said on stderr is lost, and the result on stdout is not.
 */
export function processIo(): CommandIo {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") process.stderr.write(`error MRL0804: stdout cannot be written: ${error.code}\n`);
    process.exit(error.code === "EPIPE" ? 0 : 1);
  });
  process.stderr.on("error", () => {});
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
    environment: process.env,
    get interrupted() {
      return waitForSignal();
    },
    beforeSignal: workBeforeSignal,
  };
}

const signals = ["SIGINT", "SIGTERM"] as const;

/** The process then ends as it does without a handler: by the signal, which its parent may want to see. */
function workBeforeSignal(work: () => void): () => void {
  const handlers = signals.map((signal) => {
    const handler = (): void => {
      work();
      process.kill(process.pid, signal);
    };
    process.once(signal, handler);
    return () => void process.off(signal, handler);
  });
  return () => {
    for (const forget of handlers) forget();
  };
}

/** Handlers are set only for commands that wait: on the others, a signal still ends the process at once. */
const waitForSignal = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve());
  });
