/**
 * Leak tests: what a corrupted party receives must have the same distribution for every secret of the other party that
 * gives it the same output. This file tests at full width, by statistics; enumerate-views.ts tests exactly, on tiny
 * rings.
 *
 * The corrupted party's own randomness and input share are fixed; those of all others are fresh in every sample. Only
 * this detects the bugs of other systems (costs-users-safety.md C2: a test of uniform messages over random secrets
 * detected none of five, the fixed view all). One run has many independent samples: elements, rows or batches.
 */

import type { Party } from "../../runtime/core/party.ts";
import type { Prg } from "../../runtime/core/random.ts";
import type { Role, Steps } from "../../runtime/core/steps.ts";
import { createStreams, type StreamFactory } from "../../runtime/correlations/random-streams.ts";
import type { Protocol, Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { narrow } from "../../runtime/ring/shift.ts";
import { intTensor, lanesOf, type RingTensor, sizeOf } from "../../runtime/ring/tensor.ts";
import { bodyOf, resolveWidths } from "./execute-protocol.ts";
import { judge, type LeakVerdict, wordsOf } from "./leak-statistics.ts";
import { type Reading, runParties, type Source, seedOf, sourceOf, tags } from "./run-parties.ts";

export type Corrupted = Role;

/** The seed of a party's streams; the dealer has those of both. */
export const ownSource = { client: "client", server: "server", dealer: "client" } as const satisfies Record<
  Corrupted,
  Source
>;

/** Whose randomness each party knows: the dealer both seeds that it gave, but not the one that the others share. */
export const knows: Readonly<Record<Corrupted, readonly Source[]>> = {
  client: ["client", "joint", "clientOwn"],
  server: ["server", "joint"],
  dealer: ["client", "server"],
};

/** Raw integers of each operand, of one sample. */
export type Secret = readonly (readonly number[])[];
export type LeakBody = (
  corrupted: Corrupted,
  secret: Secret,
  samples: number,
) => (party: Party, stage: Reading) => Steps<unknown>;

export interface LeakCase {
  readonly name: string;
  readonly body: LeakBody;
  /** Two secrets; the corrupted party's own input is the same in both. */
  readonly secrets: readonly [Secret, Secret];
}

/** A protocol on `samples` copies of a secret; the spec has them along its first axis. */
export function leakCase(protocol: Protocol, secrets: LeakCase["secrets"], spec: (samples: number) => Spec): LeakCase {
  return {
    name: protocol.name,
    secrets,
    body: (corrupted, secret, samples) => {
      const resolved = resolveWidths(protocol, spec(samples));
      const inputs = secret.map((values, k) => {
        const { shape } = resolved.operands[k]!;
        return intTensor(
          shape,
          Float64Array.from({ length: sizeOf(shape) }, (_, at) => values[at % values.length]!),
        );
      });
      return bodyOf(protocol, resolved, inputs, { corrupted });
    },
  };
}

/** One draw of a stream, for a break to change. */
export interface StreamDraw {
  readonly source: Source;
  readonly use: string;
  readonly drawn: RingTensor;
  readonly corrupted: Corrupted;
  /** Result of the same draw at the corrupted party. */
  readonly atCorrupted: RingTensor;
  /** Result of the first draw of this use, whatever the operator. */
  readonly first: () => RingTensor;
}
export type Break = (draw: StreamDraw) => RingTensor;

/** Streams in which the corrupted party's randomness repeats one word, and a break may change all other randomness. */
function fixedStreams(corrupted: Corrupted, run: number, breaks: Break | undefined): StreamFactory {
  return (seed, ...scope) => {
    const source = sourceOf(seed);
    const streams = new Map<string, Prg>();
    const plain = (from: Source, label: string, use: string): Prg => {
      const fixed = knows[corrupted].includes(from);
      const prg = createStreams(seedOf(fixed ? 7 : 8 + run, tags[from]), ...scope)(label, use);
      return fixed ? repeated(prg) : prg;
    };
    const broken = (label: string, use: string, change: Break): Prg => {
      const own = plain(source, label, use);
      const other = plain(ownSource[corrupted], label, use);
      return {
        bytes: own.bytes,
        ring: (shape, width) => {
          const atCorrupted = other.ring(shape, width);
          return change({
            ...{ source, use, corrupted, atCorrupted, drawn: own.ring(shape, width) },
            // The lowest bits of the same words, whatever the width.
            first: () => narrow(plain(source, "any", use).ring(shape, 64), width),
          });
        },
      };
    };
    return (label, use) => {
      const key = `${use} ${label}`;
      const prg = streams.get(key) ?? (breaks ? broken(label, use, breaks) : plain(source, label, use));
      streams.set(key, prg);
      return prg;
    };
  };
}

/** One word of the stream in every element. */
const repeated = (prg: Prg): Prg => ({
  bytes: (count) => prg.bytes(count),
  ring: (shape, width) => {
    const lanes = lanesOf(width);
    const word = prg.ring([1], width).data!;
    const data = new Uint32Array(sizeOf(shape) * lanes);
    if (lanes === 1) data.fill(word[0]!);
    else for (let k = 0; k < data.length; k++) data[k] = word[k & 1]!;
    return { kind: "ring", shape, width, data };
  },
});

/** The two-sample comparison of a corrupted party's views under two secrets. */
export function compareViews(test: LeakCase, corrupted: Corrupted, samples: number, breaks?: Break): LeakVerdict {
  const [a, b] = test.secrets.map((secret, run) => {
    const streams = fixedStreams(corrupted, run, breaks);
    return wordsOf(runParties(test.body(corrupted, secret, samples), 1, streams).sums[corrupted], samples);
  });
  return judge(a!, b!);
}
