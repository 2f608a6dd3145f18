import type { LogFields, ServiceLog } from "./service-log.ts";

/** Lines of one kind within this time; the others are counted. */
const mostLines = 5;
const periodMs = 10_000;

/**
 * A log that strangers cannot fill: of each kind of event it has the first lines of a period, then their number. `kind`
 * is a code or a word, never a peer's text.
 */
export function limitedLog(log: ServiceLog): (kind: string, line: string, about: LogFields) => void {
  const kinds = new Map<string, number>();
  return (kind, line, about) => {
    const seen = kinds.get(kind);
    kinds.set(kind, (seen ?? 0) + 1);
    if ((seen ?? 0) < mostLines) log(line, about);
    if (seen !== undefined) return;
    const summarise = (): void => {
      const more = kinds.get(kind)! - mostLines;
      const { event, level, code } = about;
      const kept = { event, ...(level !== undefined && { level }), ...(code !== undefined && { code }) };
      if (more > 0) log(`${kind}: ${more} more in ${periodMs / 1000} s`, kept);
      kinds.delete(kind);
    };
    setTimeout(summarise, periodMs).unref();
  };
}
