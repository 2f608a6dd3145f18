import type { KnownWeight, MaskedValue, Party, ReplicatedShare, Share, SharedValue } from "../../runtime/core/party.ts";
import { createPrg } from "../../runtime/core/random.ts";
import type { Role } from "../../runtime/core/steps.ts";
import type { StreamFactory } from "../../runtime/correlations/random-streams.ts";
import { maskAndOpen } from "../../runtime/protocols/boundary/open.ts";
import {
  type Fixed,
  type Operand,
  type OperandForm,
  type Protocol,
  type Spec,
  ulpsOf,
} from "../../runtime/protocols/kit/define-protocol.ts";
import { add, sub } from "../../runtime/ring/arithmetic.ts";
import { fromIntegers, toIntegers, toReal } from "../../runtime/ring/convert.ts";
import {
  type IntTensor,
  intTensor,
  metaTensor,
  type RingTensor,
  type Shape,
  sizeOf,
  zeros,
} from "../../runtime/ring/tensor.ts";
import { count, type PartiesRun, type QueryTraffic, type Reading, runParties, seedOf } from "./run-parties.ts";

/** Runs protocols on shared inputs and counts their cost, for all protocol tests. */

/** Width 0: `resolveWidths` takes the width that the protocol wants. */
export const fixed = (shape: Shape, scale: number, lo: number, hi: number, width = 0): Fixed => ({
  shape,
  width,
  scale,
  lo,
  hi,
});

/** The spec with the operand widths that the protocol wants. @throws Error with the reason of a refusal. */
export function resolveWidths(protocol: Protocol, spec: Spec): Spec {
  const widths = protocol.operandWidths(spec);
  const operands = spec.operands.map((operand, k) => ({ ...operand, width: widths[k]! }));
  const resolved = { ...spec, operands };
  const why = protocol.refuses?.(resolved);
  if (why) throw new Error(why);
  return resolved;
}

const formOf = (protocol: Protocol, k: number): OperandForm => protocol.forms[Math.min(k, protocol.forms.length - 1)]!;

export interface ExecuteOptions {
  readonly trial?: number;
  readonly streams?: StreamFactory;
  /**
   * The fixed share of this party, one integer in every element; the other share is the rest. Default: a random client
   * share.
   */
  readonly corrupted?: Role;
}

export interface ExecuteResult extends PartiesRun<SharedValue> {
  readonly values: Float64Array;
  readonly spec: Spec;
}

/**
 * The body that shares integers x_k, opens those that the protocol wants masked, and runs it. Client and server draw
 * the pad of a weight from the randomness that they share, as in a session.
 */
export function bodyOf(protocol: Protocol, resolved: Spec, inputs: readonly IntTensor[], options: ExecuteOptions = {}) {
  return function* body(party: Party, stage: Reading) {
    const operands: Operand[] = [];
    for (const [k, input] of inputs.entries()) {
      const form = formOf(protocol, k);
      const { width } = resolved.operands[k]!;
      // Shared inputs belong to the client alone; both parties know public numbers.
      const knows = party.role === "client" || (party.role === "server" && protocol.implements !== "share");
      if (form === "public") operands.push(knows && stage === "online" ? input : unknown(input));
      else if (form === "server") operands.push(party.role === "server" && stage === "online" ? input : unknown(input));
      else if (form === "weight") operands.push(weightOf(party, stage, input, width));
      else if (form === "fixed") operands.push(fixedOf(party, stage, input, width));
      else if (form === "replicated")
        operands.push(inputComponents(party, stage, fromIntegers(input, width), k, options));
      else if (form === "residue")
        operands.push(toIntegers(inputShare(party, stage, fromIntegers(input, width), k, options)));
      else {
        const tensor = inputShare(party, stage, fromIntegers(input, width), k, options);
        operands.push(
          form === "masked" ? yield* maskAndOpen(party.at(`open ${k}`), tensor) : { kind: "share", tensor },
        );
      }
    }
    return yield* protocol.run(party.at("op"), resolved, ...operands);
  };
}

const unknown = (t: IntTensor): IntTensor => intTensor(t.shape, undefined);

/** This party's share of an input, which is known online only. */
export function inputShare(
  party: Party,
  stage: Reading,
  x: RingTensor,
  k: number,
  options: ExecuteOptions,
): RingTensor {
  if (stage !== "online") return metaTensor(x.shape, x.width);
  const holder = options.corrupted ?? "client";
  const own = options.corrupted
    ? fromIntegers(intTensor(x.shape, new Float64Array(sizeOf(x.shape)).fill(fixedShare + k)), x.width)
    : createPrg(seedOf(options.trial ?? 1, 9), "input", String(k)).ring(x.shape, x.width);
  return party.role === holder ? own : sub(x, own);
}
const fixedShare = 0x5a5a5;

/**
 * This party's two components of an input: those of the corrupted party are fixed; without one, the first two are
 * random.
 */
export function inputComponents(
  party: Party,
  stage: Reading,
  x: RingTensor,
  k: number,
  options: ExecuteOptions,
): ReplicatedShare {
  if (stage !== "online")
    return { kind: "replicated", components: [metaTensor(x.shape, x.width), metaTensor(x.shape, x.width)] };
  const first = partyIndex[options.corrupted ?? "client"];
  const own = [0, 1].map((part) =>
    options.corrupted
      ? fromIntegers(intTensor(x.shape, new Float64Array(sizeOf(x.shape)).fill(fixedShare * (1 + part) + k)), x.width)
      : createPrg(seedOf(options.trial ?? 1, 9), "parts", String(k), String(part)).ring(x.shape, x.width),
  );
  const components = [own[0]!, own[1]!, sub(x, add(own[0]!, own[1]!))];
  const at = (partyIndex[party.role] - first + 3) % 3;
  return { kind: "replicated", components: [components[at]!, components[(at + 1) % 3]!] };
}
const partyIndex = { client: 0, server: 1, dealer: 2 } as const;

const padOf = (shape: Shape, width: number): RingTensor => createPrg(seedOf(1, 8), "pad").ring(shape, width);

export function weightOf(party: Party, stage: Reading, values: IntTensor, width: number, pad = padOf): KnownWeight {
  const { shape } = values;
  const none = metaTensor(shape, width);
  const knowsPad = stage !== "count" && party.role !== "dealer";
  return {
    kind: "weight",
    shape,
    width,
    values: party.role === "server" && stage !== "count" ? values : unknown(values),
    pad: knowsPad ? pad(shape, width) : none,
    hidden: party.role === "dealer" ? sub(fromIntegers(values, width), pad(shape, width)) : none,
  };
}

/** A weight as a session opens it, once: W + B, with B known to the server and the dealer. */
export function fixedOf(party: Party, stage: Reading, values: IntTensor, width: number): MaskedValue {
  const { shape } = values;
  const none = metaTensor(shape, width);
  const mask = createPrg(seedOf(1, 8), "fixed").ring(shape, width);
  const share = { client: zeros(shape, width), server: mask, dealer: none }[party.role];
  const opened = stage === "online" && party.role !== "dealer" ? add(fromIntegers(values, width), mask) : none;
  const isDealing = stage === "deal";
  return {
    kind: "masked",
    opened,
    mask: { share: stage === "count" ? none : share, secret: isDealing ? mask : none, fresh: false },
  };
}

/** Runs a protocol on real inputs (integers for weights), and returns the real result. */
export function execute(protocol: Protocol, spec: Spec, inputs: readonly Float64Array[], options: ExecuteOptions = {}) {
  const resolved = resolveWidths(protocol, spec);
  const raw = inputs.map((x, k) =>
    intTensor(
      resolved.operands[k]!.shape,
      quantizeToGrid(x, resolved.operands[k]!.scale, 2 ** resolved.operands[k]!.scale),
    ),
  );
  const run = runParties(bodyOf(protocol, resolved, raw, options), options.trial, options.streams);
  return { ...run, spec: resolved, values: toReal(result(run), resolved.result.scale) } satisfies ExecuteResult;
}

/** The opened result of both parties. */
export function result(run: PartiesRun<SharedValue>): RingTensor {
  const { client, server } = run;
  if (client.kind === "masked") {
    const mine = client.mask.share!;
    const theirs = (server as MaskedValue).mask.share!;
    return sub(client.opened, add(mine, theirs));
  }
  if (client.kind === "replicated") return add(add(...client.components), (server as ReplicatedShare).components[1]);
  const mine = client.tensor;
  const theirs = (server as Share).tensor;
  if (!mine.data || !theirs.data) return mine.data ? mine : theirs;
  return add(mine, theirs);
}

/** Real values rounded to the grid of the scale; times `unit`. */
export const quantizeToGrid = (x: Float64Array, scale: number, unit = 1): Float64Array =>
  x.map((v) => (Math.round(v * 2 ** scale) / 2 ** scale) * unit);

/** Cost of one execution, without the openings of its operands. */
export function costOf(protocol: Protocol, spec: Spec): QueryTraffic {
  const resolved = resolveWidths(protocol, spec);
  const operands = resolved.operands.map(({ shape, width }, k): Operand => {
    const tensor = metaTensor(shape, width);
    const form = formOf(protocol, k);
    if (form === "public" || form === "server" || form === "residue") return intTensor(shape, undefined);
    if (form === "weight") {
      return { kind: "weight", shape, width, values: intTensor(shape, undefined), pad: tensor, hidden: tensor };
    }
    if (form === "share") return { kind: "share", tensor };
    if (form === "replicated") return { kind: "replicated", components: [tensor, tensor] };
    return { kind: "masked", opened: tensor, mask: { share: tensor, secret: tensor, fresh: form === "masked" } };
  });
  return count((party) => protocol.run(party, resolved, ...operands));
}

/** Uniform reals of a range, among them its ends and zero; the same trial gives the same reals. */
export function reals(count: number, lo: number, hi: number, trial = 1): Float64Array {
  const words = createPrg(seedOf(trial, 7), "reals").ring([count], 32).data!;
  const x = Float64Array.from(words, (word) => lo + ((hi - lo) * word) / 2 ** 32);
  [lo, hi, Math.min(Math.max(0, lo), hi)].forEach((v, k) => {
    if (k < count) x[k] = v;
  });
  return x;
}

/** Largest difference, in units in the last place of the result. */
export function worstUlps(outcome: { values: Float64Array; spec: Spec }, expected: ArrayLike<number>): number {
  if (outcome.values.length !== expected.length)
    throw new Error(`expected ${expected.length} results, found ${outcome.values.length}`);
  const unit = 2 ** outcome.spec.result.scale;
  return outcome.values.reduce((worst, v, k) => Math.max(worst, Math.abs(v - expected[k]!) * unit), 0);
}

/** The bound that the protocol declares for this spec; for a run whose values keep the bounds of `seen`. */
export const declaredUlps = (protocol: Protocol, spec: Spec, seen: Spec = spec): number =>
  ulpsOf(protocol, resolveWidths(protocol, spec), seen);

/** Bytes in which this many bits travel. */
export const bytes = (bits: number): number => Math.ceil(bits / 8);
