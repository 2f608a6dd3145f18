/**
 * The checks that mutants meet: each says whether it objects to the runtime that it was loaded with. They are those of
 * the suite (fixed view under two secrets, exhaustive tiny rings, one-time correlations, separate streams, what a
 * session sends), on the smallest cases that show a gross break.
 */

import type { Party } from "../../runtime/core/party.ts";
import { createPrg, deriveSeed } from "../../runtime/core/random.ts";
import type { Steps } from "../../runtime/core/steps.ts";
import { createCorrelationStore } from "../../runtime/correlations/correlation-store.ts";
import { onlineParty, preparingParty } from "../../runtime/correlations/preparing-party.ts";
import { createStreams } from "../../runtime/correlations/random-streams.ts";
import { knownWeightMatmul } from "../../runtime/protocols/arithmetic/known-weight.ts";
import { maskedMul } from "../../runtime/protocols/arithmetic/masked-mul.ts";
import { seededHandOver, seededTakeOver } from "../../runtime/protocols/boundary/handed-shares.ts";
import { oneWayReveal } from "../../runtime/protocols/boundary/one-way-reveal.ts";
import { maskAndOpen, maskedOpen } from "../../runtime/protocols/boundary/open.ts";
import type { Protocol, Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { maskedRelu } from "../../runtime/protocols/nonlinear/masked-relu.ts";
import { maskedExtend } from "../../runtime/protocols/truncation/masked-extend.ts";
import { sub } from "../../runtime/ring/arithmetic.ts";
import { fromIntegers } from "../../runtime/ring/convert.ts";
import { intTensor, metaTensor, type RingTensor } from "../../runtime/ring/tensor.ts";
import { type Corrupted, type LeakBody, type LeakCase, leakCase, type Secret } from "../harness/compare-views.ts";
import { CHUNK, sameViews, type TinyBody } from "../harness/enumerate-views.ts";
import { execute, fixed, worstUlps } from "../harness/execute-protocol.ts";
import { allSharings, residues } from "../harness/residues.ts";
import { type Reading, runParties, seedOf } from "../harness/run-parties.ts";
import { libraryProbes } from "./library-probes.ts";
import { leaks } from "./views.ts";

const single = (protocol: Protocol, secrets: LeakCase["secrets"], width: number, scale = 12, bound = 16): LeakCase =>
  leakCase(protocol, secrets, (n): Spec => {
    const per = secrets[0][0]!.length;
    const shape = per === 1 ? [n] : [n, per];
    return {
      operands: [fixed(shape, scale, -bound, bound)],
      result: fixed(shape, scale, -bound, bound, width),
      attrs: {},
    };
  });

const product = leakCase(
  maskedMul,
  [
    [[-60001], [20]],
    [[12346], [30001]],
  ],
  (n) => ({
    operands: [fixed([n], 12, -16, 16), fixed([n], 12, -16, 16)],
    result: fixed([n], 12, -256, 256, 40),
    attrs: {},
  }),
);

/** The operand and its result reach the reader; the other party's view must not depend on what it does not hold. */
const revealTo = (to: "client" | "server"): LeakCase =>
  leakCase(oneWayReveal, [[[-60001]], [[12346]]], (n) => ({
    operands: [fixed([n], 12, -16, 16)],
    result: fixed([n], 12, -16, 16, 40),
    attrs: { to },
  }));

const weighted = leakCase(
  knownWeightMatmul,
  [
    [
      [-60001, 5],
      [3, -7],
    ],
    [
      [12346, 9999],
      [3, -7],
    ],
  ],
  (n) => ({
    operands: [fixed([n, 2], 0, -(2 ** 20), 2 ** 20), fixed([2, 1], 0, -8, 8)],
    result: fixed([n, 1], 0, -(2 ** 24), 2 ** 24, 40),
    attrs: {},
  }),
);

/** This party's share of samples of one value: fixed at the corrupted party. */
function shared(party: Party, stage: Reading, corrupted: Corrupted, value: number, samples: number, width: number) {
  if (stage !== "online" || party.role === "dealer") return metaTensor([samples], width);
  const filled = (v: number) => fromIntegers(intTensor([samples], new Float64Array(samples).fill(v)), width);
  return party.role === corrupted ? filled(1234567) : sub(filled(value), filled(1234567));
}

const two =
  (run: (party: Party, x: RingTensor, y: RingTensor) => Steps<unknown>, width: number): LeakBody =>
  (corrupted, [xs, ys]: Secret, samples) =>
  (party, stage) =>
    run(
      party,
      shared(party, stage, corrupted, xs![0]!, samples, width),
      shared(party, stage, corrupted, ys![0]!, samples, width),
    );

const custom = (run: Parameters<typeof two>[0], width = 40): LeakCase => ({
  name: "openings",
  secrets: [
    [[-60001], [20]],
    [[12346], [30001]],
  ],
  body: two(run, width),
});

const twoOpenings = custom(function* (party, x, y) {
  const operator = party.at("operator");
  return [yield* maskAndOpen(operator, x), yield* maskAndOpen(operator, y)];
});
const twoOperators = custom(function* (party, x, y) {
  return [yield* maskAndOpen(party.at("one"), x), yield* maskAndOpen(party.at("two"), y)];
});

/** Opening of 4 bits over all randomness. */
function openedExactly(): boolean {
  const body =
    (corrupted: Corrupted, other: number): TinyBody =>
    (party, stage) => {
      if (stage !== "online") return maskAndOpen(party, metaTensor([CHUNK], 4));
      const value = party.role === corrupted ? 3 : other;
      return maskAndOpen(party, fromIntegers(intTensor([CHUNK], new Float64Array(CHUNK).fill(value)), 4));
    };
  return (["client", "server"] as const).some(
    (corrupted) =>
      !sameViews(
        [0, 1, 7, 8, 15].map((v) => body(corrupted, v)),
        corrupted,
      ),
  );
}

const prefix = (make: () => { bytes(count: number): Uint8Array }): string =>
  Buffer.from(make().bytes(16)).toString("hex");

/** Whether two of the streams that must differ are one. */
function collide(): boolean {
  const seeds = [seedOf(1, 1), seedOf(1, 2), seedOf(2, 1)];
  const labels = [["a", "bc"], ["ab", "c"], ["abc"], ["a", "b", "c"], ["abc", ""], ["", "abc"]];
  const streams = seeds.flatMap((seed) => [
    ...labels.map((label) => prefix(() => createPrg(seed, ...label))),
    ...["0", "1"].flatMap((query) =>
      ["one", "two"].flatMap((label) =>
        ["mask", "dealt", "client"].map((use) => prefix(() => createStreams(seed, "query", query)(label, use))),
      ),
    ),
    // A seed that was derived is not what a stream of the same label is made of.
    prefix(() => createPrg(deriveSeed(seed, "a"), "a")),
  ]);
  const drawn = createStreams(seedOf(3, 1));
  const twice = [drawn("a", "mask"), drawn("a", "mask")].map((prg) => prefix(() => prg));
  return new Set([...streams, ...twice]).size < streams.length + twice.length;
}

/** Whether a derived seed is the key of the stream of the same label. */
async function keyIsSeed(): Promise<boolean> {
  const { keystream } = await import("../../runtime/platform/node.ts");
  const derived = deriveSeed(seedOf(1, 1), "a");
  const stream = keystream(derived.subarray(0, 16), derived.subarray(16))(16);
  return Buffer.from(stream).toString("hex") === prefix(() => createPrg(seedOf(1, 1), "a"));
}

/** Whether a correlation can be had twice. */
function twice(): boolean {
  const stock = createCorrelationStore();
  const prepare = preparingParty({
    role: "client",
    seed: seedOf(1, 1),
    sharedSeed: seedOf(1, 4),
    query: 0,
    store: stock,
  });
  prepare.at("x").mask([2], 20);
  const party = onlineParty("client", stock).at("x");
  party.mask([2], 20);
  try {
    party.mask([2], 20);
    return true;
  } catch {
    return false;
  }
}

/** Whether two queries of one session draw the same masks. */
function queriesShare(): boolean {
  const masks = [0, 1].map((query) => {
    const stock = createCorrelationStore();
    const party = preparingParty({ role: "client", seed: seedOf(1, 1), sharedSeed: seedOf(1, 4), query, store: stock });
    return [party.mask([2], 32).share.data, party.sharedRandom([2], 32).data, party.clientMask([2], 32).data].join();
  });
  return masks[0] === masks[1];
}

/** Whether a result is wrong: some breaks are not secret, only useless. */
function wrong(): boolean {
  const spec: Spec = { operands: [fixed([9], 12, -16, 16)], result: fixed([9], 12, -16, 16, 40), attrs: {} };
  const x = Float64Array.from({ length: 9 }, (_, k) => k - 4.5);
  const outcome = execute(maskedExtend, spec, [x]);
  return worstUlps(outcome, x) > 0;
}

/** Whether a residue that passes between programs tells of the share or the value behind it, or adds up to another value. */
const unevenResidues = (): boolean =>
  [seededHandOver, seededTakeOver].some((protocol) => {
    const { uniform, sums } = residues(protocol, allSharings);
    return !uniform || !sums;
  });

/** Whether what is sent differs in number or length for other secrets, or from what is counted. */
function lengths(): boolean {
  const body = (value: number) => (party: Party, stage: Reading) =>
    maskAndOpen(party, shared(party, stage, "client", value, 4, 40));
  try {
    const runs = [1234567, 5, -60001].map((value) => runParties(body(value)));
    const traffic = runs.flatMap(({ metered, counted }) => [metered, counted].map((each) => JSON.stringify(each)));
    return new Set(traffic).size > 1;
  } catch (error) {
    // One party is done while another still waits for a message: the secret has told.
    return /expected the same number of (transfers|rounds) at all parties/.test(String(error));
  }
}

/** Every probe; true: it objects. */
export const probes = {
  ...libraryProbes,
  "open: fixed view": () => leaks(single(maskedOpen, [[[-(2 ** 40) - 1]], [[12345678]]], 44, 0, 2 ** 41)),
  "open two neighbours: fixed view": () => leaks(single(maskedOpen, [[[-60001, 5]], [[12346, 9999]]], 44)),
  "open: all randomness of 4 bits": openedExactly,
  "two openings of one operator: fixed view": () => leaks(twoOpenings),
  "openings of two operators: fixed view": () => leaks(twoOperators),
  "extend: fixed view": () => leaks(single(maskedExtend, [[[-60001]], [[12346]]], 44)),
  "product: fixed view": () => leaks(product),
  "residues: uniform for every share of every value": unevenResidues,
  "relu: fixed view": () => leaks(single(maskedRelu, [[[-60001]], [[12346]]], 40)),
  "known weight: fixed view": () => leaks(weighted, ["server"]),
  "reveal to the client: fixed view of the server": () => leaks(revealTo("client"), ["server"]),
  "reveal to the server: fixed view of the client": () => leaks(revealTo("server"), ["client"]),
  "streams are separate": collide,
  "keys and seeds are separate": keyIsSeed,
  "a correlation is had once": twice,
  "queries have masks of their own": queriesShare,
  "the result is right": wrong,
  "lengths are those of the cost model": lengths,
} as const satisfies Record<string, () => boolean | Promise<boolean>>;

export type ProbeName = keyof typeof probes;

export async function probe(name: ProbeName): Promise<boolean> {
  const check: () => boolean | Promise<boolean> = probes[name];
  return await check();
}
