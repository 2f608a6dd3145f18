import { sizeOf } from "../../ir/type.ts";
import type { Fixed, Protocol, Spec, Traffic } from "../../runtime/protocols/kit/index.ts";
import { operandForm, trafficWithin } from "./traffic.ts";

/**
 * The link that protocols are chosen for, between each two parties and in both directions. LinkProfile of
 * runtime/transport has the same fields; the two stay apart, since the runtime imports nothing of the compiler.
 */
export interface LinkSpeed {
  readonly mbitPerSecond: number;
  readonly roundTripMs: number;
}

/**
 * Metric to minimize. time: seconds from the first correlation to the result, if the dealer's material is not there
 * yet; online: seconds from the input on; total: bytes, online and the dealer's.
 */
export type Objective = "time" | "online" | "total";

/**
 * Seconds per node of a GGM tree at a party: one block of the stream cipher. Every 16 bytes that the dealer broadcasts
 * stand for one node. 0.3 µs per level on Node 20, by `npm run bench`.
 */
const secondsPerNode = 0.3e-6;
const nodeBytes = 16;

/** Cost of an execution under an objective, in seconds or bytes. */
export function priceOf({ rounds, bytes, dealt }: Traffic, link: LinkSpeed, objective: Objective): number {
  const all = (links: Traffic["bytes"]): readonly number[] => Object.values(links);
  const sum = (links: Traffic["bytes"]): number => all(links).reduce((a, b) => a + b, 0);
  if (objective === "total") return sum(bytes) + sum(dealt);
  const seconds = (count: number): number => (count * 8) / (link.mbitPerSecond * 1e6);
  const online = (rounds * link.roundTripMs) / 2000 + seconds(Math.max(...all(bytes)));
  // The parties walk the trees before the input is known, or as soon as it is opened: half counts as online.
  const compute = (dealt["dealer→client"] / nodeBytes) * secondsPerNode;
  if (objective === "online") return online + compute / 2;
  return online + compute + seconds(Math.max(...all(dealt)));
}

/** One way to execute an op: a protocol and its tuning. */
export interface Candidate {
  readonly protocol: Protocol;
  readonly tuning?: Spec["attrs"];
}

/** All candidates of a protocol, its default first. */
export const candidatesOf = (protocol: Protocol, spec: Spec): readonly Candidate[] => [
  { protocol },
  ...(protocol.variants?.(spec) ?? []).map((tuning) => ({ protocol, tuning })),
];

/** The spec as the protocol would run it: operands in the rings that it wants, the result in one that it can return. */
function tuned({ protocol, tuning }: Candidate, spec: Spec): Spec {
  const wanted = tuning ? { ...spec, attrs: { ...spec.attrs, ...tuning } } : spec;
  const widths = protocol.operandWidths(wanted);
  const result = { ...wanted.result, width: Math.min(wanted.result.width, protocol.maxResultWidth?.(wanted) ?? 64) };
  return {
    ...wanted,
    result,
    operands: spec.operands.map((operand, index) => ({ ...operand, width: widths[index] ?? 64 })),
  };
}

/**
 * The cheapest candidate, with the openings of its operands. Ties go to fewer bytes, then to the first. Candidates that
 * cannot run the spec are skipped.
 */
export function cheapest(
  candidates: readonly Candidate[],
  spec: Spec,
  link: LinkSpeed,
  objective: Objective,
): Candidate | undefined {
  let best: { readonly candidate: Candidate; readonly price: number; readonly bytes: number } | undefined;
  for (const candidate of candidates) {
    const run = tuned(candidate, spec);
    const { protocol } = candidate;
    if (protocol.refuses?.(run) !== undefined || run.operands.some(({ width }) => width > 64)) continue;
    const own = trafficWithin(protocol, run);
    if (!own) continue;
    const traffic = withOpenings(protocol, run, own);
    const price = priceOf(traffic, link, objective);
    const bytes = priceOf(traffic, link, "total");
    if (!best || price < best.price || (price === best.price && bytes < best.bytes)) best = { candidate, price, bytes };
  }
  return best?.candidate;
}

/** Adds the opening of the operands that a protocol wants masked: all in one round before it. */
function withOpenings(protocol: Protocol, { operands }: Spec, traffic: Traffic): Traffic {
  const opened = operands.filter((_, index) => operandForm(protocol, index) === "masked");
  const each = opened.reduce((sum, operand) => sum + openingBytes(operand), 0);
  const { bytes } = traffic;
  return {
    ...traffic,
    rounds: traffic.rounds + (opened.length > 0 ? 1 : 0),
    bytes: {
      ...bytes,
      "client→server": bytes["client→server"] + each,
      "server→client": bytes["server→client"] + each,
    },
  };
}

const openingBytes = ({ shape, width }: Fixed): number => Math.ceil((sizeOf(shape) * width) / 8);
