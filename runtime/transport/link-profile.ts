/** A network between two parties, the same in both directions. */
export interface LinkProfile {
  /** "lan", "wan", or the text it was parsed from. */
  readonly name: string;
  /** 10^6 bits per second. */
  readonly mbitPerSecond: number;
  readonly roundTripMs: number;
}

/** A local network, and the slow end of the wide-area networks (100 Mbit/s, 40 to 80 ms) that papers measure on. */
export const linkProfiles = {
  lan: { name: "lan", mbitPerSecond: 3000, roundTripMs: 0.8 },
  wan: { name: "wan", mbitPerSecond: 100, roundTripMs: 80 },
} as const satisfies Record<string, LinkProfile>;

const customPattern = /^(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)$/;

/** Parses the value of `--link`. @throws RangeError that lists the valid forms. */
export function parseLink(text: string): LinkProfile {
  const word = text.trim().toLowerCase();
  if (word === "lan" || word === "wan") return linkProfiles[word];
  const [, mbit, ms] = customPattern.exec(word) ?? [];
  const link = { name: word, mbitPerSecond: Number(mbit), roundTripMs: Number(ms) };
  if (link.mbitPerSecond > 0 && Number.isFinite(link.mbitPerSecond) && Number.isFinite(link.roundTripMs)) return link;
  throw new RangeError(
    `"${text}" is not a link: use lan (${describeLink(linkProfiles.lan)}), wan (${describeLink(linkProfiles.wan)}), or <Mbit/s>x<round-trip ms> like 100x40`,
  );
}

const describeLink = (link: LinkProfile): string => `${link.mbitPerSecond}x${link.roundTripMs}`;

/** Time that this many bytes occupy the link. */
export const transmissionMs = (link: LinkProfile, bytes: number): number => (bytes * 8) / (link.mbitPerSecond * 1e3);
