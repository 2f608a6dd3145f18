/** What a whole session sends, on a program of a few lines: the checks of mutants in seeds, set-up and queries. */
import { SessionError } from "../../runtime/core/errors.ts";
import type { KnownWeight, Party, Share } from "../../runtime/core/party.ts";
import { freshSeed } from "../../runtime/core/random.ts";
import { type Direction, directions } from "../../runtime/core/steps.ts";
import type { Program } from "../../runtime/program/program.ts";
import { knownWeightMul } from "../../runtime/protocols/arithmetic/known-weight.ts";
import { oneWayReveal } from "../../runtime/protocols/boundary/one-way-reveal.ts";
import { maskAndOpen } from "../../runtime/protocols/boundary/open.ts";
import { seededShare } from "../../runtime/protocols/boundary/seeded-share.ts";
import type { Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { liftToRing } from "../../runtime/protocols/kit/masked-values.ts";
import { add } from "../../runtime/ring/arithmetic.ts";
import { fromIntegers } from "../../runtime/ring/convert.ts";
import { pack } from "../../runtime/ring/pack.ts";
import { intTensor } from "../../runtime/ring/tensor.ts";
import { runDealer } from "../../runtime/session/dealer-session.ts";
import { openServer } from "../../runtime/session/party-session.ts";
import { predict } from "../../runtime/session/predict.ts";
import { encodeRequest } from "../../runtime/session/requests.ts";
import { setUpWeights } from "../../runtime/session/session-weights.ts";
import type { Channel } from "../../runtime/transport/channel.ts";
import { memoryPair } from "../../runtime/transport/memory-channel.ts";
import { fixed } from "../harness/execute-protocol.ts";
import { runSession, type SessionRun } from "../harness/run-session.ts";
import { keptProbes } from "./kept-probes.ts";

const shape = [24];
const width = 40;
const type = fixed(shape, 0, -(2 ** 20), 2 ** 20, width);
const spec: Spec = { operands: [type], result: type, attrs: { to: "client" } };
const product: Spec = { ...spec, operands: [type, type] };
const lifting = { ...type, width: 48 };
const values = intTensor(
  shape,
  Float64Array.from({ length: 24 }, (_, k) => k - 12),
);
const declared = { form: "known", shape, width, scale: 0 } as const;

/** (x·w + x·v) opened, lifted and given to the client; w and v are equal, and no one but the server may know that. */
const program: Program = {
  name: "probe",
  hash: "00",
  setting: "2pc-dealer",
  inputs: { x: spec.result },
  outputs: { y: { ...spec.result, to: "client" } },
  weights: { w: { ...declared, tensor: "w" }, v: { ...declared, tensor: "v" } },
  *body(_tools, party: Party, { x }, weights) {
    const shared = yield* seededShare.run(party.at("share"), spec, x!);
    const one = (yield* knownWeightMul.run(party.at("one"), product, shared, weights.w as KnownWeight)) as Share;
    const two = (yield* knownWeightMul.run(party.at("two"), product, shared, weights.v as KnownWeight)) as Share;
    const wire = yield* maskAndOpen(party.at("open"), add(one.tensor, two.tensor));
    const lifted: Share = { kind: "share", tensor: liftToRing(party.at("lift"), wire, 48) };
    const y = yield* oneWayReveal.run(party.at("reveal"), { ...spec, operands: [lifting], result: lifting }, lifted);
    return { y };
  },
};
const tensors = new Map([
  ["w", values],
  ["v", values],
]);

interface Recorded {
  readonly run: SessionRun;
  readonly sent: Readonly<Record<string, readonly string[]>>;
}

/** Two queries of one input in one session, with every payload that crossed a link. */
async function record(): Promise<Recorded> {
  const sent = new Map<Direction, string[]>();
  // The order in which runSession makes the ends.
  const ends: readonly Direction[] = [
    "client→server",
    "server→client",
    "dealer→client",
    "dealer→server",
    "server→dealer",
    "client→dealer",
  ];
  let next = 0;
  const wrap = (channel: Channel): Channel => {
    const link = ends[next++]!;
    sent.set(link, []);
    const send: Channel["send"] = (frame, kind) => {
      if (kind !== "control") sent.get(link)!.push(Buffer.from(frame).toString("hex"));
      return channel.send(frame, kind);
    };
    return new Proxy(channel, { get: (target, key) => (key === "send" ? send : bound(target, key as keyof Channel)) });
  };
  const run = await runSession(program, tensors, [{ x: values }, { x: values }], wrap);
  return { run, sent: Object.fromEntries(sent) };
}
function bound(target: Channel, key: keyof Channel): unknown {
  const value = target[key];
  return typeof value === "function" ? value.bind(target) : value;
}

/** Whether anything is sent twice: in another query, in another session, or to another party. */
async function repeats(): Promise<boolean> {
  const sessions = [await record(), await record()];
  const frames = sessions.flatMap(({ sent }) => Object.values(sent).flat());
  return new Set(frames).size < frames.length;
}

/** Whether the seeds of two sessions have bytes in common places that never change. */
async function constantSeeds(): Promise<boolean> {
  const sessions = [await record(), await record()];
  const seeds = sessions.flatMap(({ sent }) =>
    ["dealer→client", "dealer→server", "client→server"].map((link) => Buffer.from(sent[link]![0]!, "hex")),
  );
  return [...Array(32).keys()].some((at) => new Set(seeds.map((seed) => seed[at])).size === 1);
}

/** Whether a link carries other bytes than are predicted for the set-up and two queries, or the dealer counts others. */
async function unpredicted(): Promise<boolean> {
  const { run } = await record();
  if (run.dealt.queries !== 2 || run.dealt.asked.length !== 2) return true;
  const { setup, offline, online } = predict(program);
  return directions.some(
    (link) => run.bytes[link] !== setup.bytes[link] + 2 * (offline.bytes[link] + online.bytes[link]),
  );
}

/** Whether what the server sends the dealer shows its weights, or that two of them are equal. */
async function weightsShow(): Promise<boolean> {
  const [first, second] = [await record(), await record()].map(({ sent }) => sent["server→dealer"]![0]!);
  const plain = Buffer.from(pack(fromIntegers(values, width))).toString("hex");
  const half = first!.length / 2;
  return first!.includes(plain) || first!.slice(0, half) === first!.slice(half) || first === second;
}

/** Whether the dealer deals a query again to a server that has gone back to a backup. */
async function dealsTwice(): Promise<boolean> {
  const [server, dealerServer] = memoryPair("server", "dealer");
  const [client, dealerClient] = memoryPair("client", "dealer");
  const ended = runDealer(program, { client: dealerClient, server: dealerServer }).then(
    () => true,
    () => false,
  );
  await client.receive({ exactBytes: 32 });
  await server.receive({ exactBytes: 32 });
  await server.send(new Uint8Array(predict(program).setup.bytes["server→dealer"]));
  for (const query of [0, 0]) await server.send(encodeRequest({ kind: "query", query }), "control");
  await server.send(encodeRequest({ kind: "end" }), "control");
  return await ended;
}

/** Whether what the server sends the client for weights under a mask shows that two of them are equal. */
function fixedShow(): boolean {
  const fixedWeight = { ...declared, form: "fixed" } as const;
  const weights = { w: { ...fixedWeight, tensor: "w" }, v: { ...fixedWeight, tensor: "v" } };
  const [sharedSeed, serverSeed] = [freshSeed(), freshSeed()];
  const { toClient } = setUpWeights("server", weights, { tensors, sharedSeed, serverSeed });
  const sent = Buffer.from(toClient).toString("hex");
  return sent.slice(0, sent.length / 2) === sent.slice(sent.length / 2);
}

/** Whether the server takes up a query that is not the next one. */
async function answersAny(): Promise<boolean> {
  const [client, toClient] = memoryPair("client", "server");
  const [toDealer, dealer] = memoryPair("server", "dealer");
  const served = openServer({ program, tensors, peer: toClient, dealer: toDealer })
    .then((session) => session.serve())
    .then(
      () => false,
      (error: unknown) => error instanceof SessionError && error.reason === "reusedCorrelation",
    );
  await dealer.send(new Uint8Array(32).fill(1));
  await client.send(new Uint8Array(32).fill(2));
  await client.send(encodeRequest({ kind: "query", query: 1 }), "control");
  // Unless it refuses, it waits for the dealer's correlations.
  const late = new Promise<boolean>((resolve) => setTimeout(resolve, 300, false));
  const refused = await Promise.race([served, late]);
  for (const end of [client, dealer]) void end.close();
  return !refused;
}

/** Every probe; true: it objects. */
export const probes = {
  ...keptProbes,
  "session: nothing is sent twice": repeats,
  "session: seeds are fresh in every byte": constantSeeds,
  "session: each link carries what was predicted": unpredicted,
  "session: the dealer does not see a weight": weightsShow,
  "session: no query is dealt twice": dealsTwice,
  "session: the client does not see that two weights are equal": async () => fixedShow(),
  "session: the server answers the next query alone": answersAny,
} as const satisfies Record<string, () => Promise<boolean>>;

export type SessionProbeName = keyof typeof probes;
export const probe = (name: SessionProbeName): Promise<boolean> => probes[name]();
