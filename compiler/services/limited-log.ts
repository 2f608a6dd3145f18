/** Lines of one kind within this time; the others are counted. */
const mostLines = 5;
const periodMs = 10_000;

/**
 * A log that strangers cannot fill: of each kind of event it has the first lines of a period, then their number. `kind`
 * is a code or a word, never a peer's text.
 */
export function limitedLog(log: (line: string) => void): (kind: string, line: string) => void {
  const kinds = new Map<string, number>();
  return (kind, line) => {
    const seen = kinds.get(kind);
    kinds.set(kind, (seen ?? 0) + 1);
    if ((seen ?? 0) < mostLines) log(line);
    if (seen !== undefined) return;
    const summarise = (): void => {
      const more = kinds.get(kind)! - mostLines;
      if (more > 0) log(`${kind}: ${more} more in ${periodMs / 1000} s`);
      kinds.delete(kind);
    };
    setTimeout(summarise, periodMs).unref();
  };
}
