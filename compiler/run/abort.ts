/** Does the work unless the signal comes first: then drops what it rests on, and throws the signal's reason. */
export async function unlessAborted<T>(
  signal: AbortSignal | undefined,
  abandon: (reason: unknown) => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  if (!signal) return await work();
  let stop = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => void abandon(signal.reason).finally(() => reject(signal.reason));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  // Without a listener of its own the later of the two failures would be unhandled.
  stopped.catch(() => {});
  try {
    return await Promise.race([stopped, signal.aborted ? stopped : work()]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
