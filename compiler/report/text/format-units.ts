/** Decimal units, as for network bandwidth. */
const byteUnits = ["B", "kB", "MB", "GB", "TB"] as const;

export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(byteUnits.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toPrecision(3)} ${byteUnits[power]}`;
}

export function secondsText(seconds: number): string {
  if (seconds < 1) return `${seconds < 0.1 ? Number((seconds * 1000).toPrecision(2)) : Math.round(seconds * 1000)} ms`;
  return seconds < 100 ? `${seconds.toPrecision(3)} s` : `${Math.round(seconds)} s`;
}

export const countText = (count: number): string => count.toLocaleString("en-US");
