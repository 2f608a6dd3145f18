import type { CommandIo } from "./command.ts";

/**
 * The io of this process. A closed pipe on stdout ends it without an error; a full disk behind stdout is an error of
 * the user's machine, and what it did not take goes to stderr: it may be the answer of a query. What cannot be said on
 * stderr is lost.
 */
export function processIo(): CommandIo {
  const unwritten = new Set<{ readonly text: string }>();
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    const lost = [...unwritten].map(({ text }) => text).join("");
    process.stderr.write(`${lost}error MRL0804: stdout cannot be written: ${error.code}\n`, () => process.exit(1));
  });
  process.stderr.on("error", () => {});
  return {
    out: (text) => {
      const piece = { text };
      unwritten.add(piece);
      process.stdout.write(text, (error) => void (error || unwritten.delete(piece)));
    },
    err: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
    environment: process.env,
    get interrupted() {
      return waitForSignal();
    },
    onHangup: (work) => {
      process.on("SIGHUP", work);
      return () => void process.off("SIGHUP", work);
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
    const handler = (): void => {
      // The next signal ends the process at once.
      for (const signal of signals) process.off(signal, handler);
      resolve();
    };
    for (const signal of signals) process.on(signal, handler);
  });
