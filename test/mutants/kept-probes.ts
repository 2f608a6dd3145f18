/** What a session keeps between queries, on two programs of a few lines: the checks of mutants in its memory. */

import { sessionError } from "../../runtime/core/errors.ts";
import type { Share } from "../../runtime/core/party.ts";
import type { Program } from "../../runtime/program/program.ts";
import { maskedMul } from "../../runtime/protocols/arithmetic/masked-mul.ts";
import { oneWayReveal } from "../../runtime/protocols/boundary/one-way-reveal.ts";
import { maskAndOpen } from "../../runtime/protocols/boundary/open.ts";
import { seededShare } from "../../runtime/protocols/boundary/seeded-share.ts";
import type { Fixed, Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { concatMasked, liftToRing, mapMasked } from "../../runtime/protocols/kit/masked-values.ts";
import { coarseMaxAttention } from "../../runtime/protocols/softmax/attention.ts";
import { coarseMaxCachedAttention } from "../../runtime/protocols/softmax/cached-attention.ts";
import { reduceSum } from "../../runtime/ring/reduce.ts";
import { type IntTensor, intTensor } from "../../runtime/ring/tensor.ts";
import { runDealer } from "../../runtime/session/dealer-session.ts";
import { openClient, openServer } from "../../runtime/session/party-session.ts";
import type { QueryPosition } from "../../runtime/session/requests.ts";
import type { Channel } from "../../runtime/transport/channel.ts";
import { memoryPair } from "../../runtime/transport/memory-channel.ts";
import { costOf, fixed } from "../harness/execute-protocol.ts";
import { runSession } from "../harness/run-session.ts";

const [length, depth, width] = [6, 5, 40];
const rows = (count: number): Fixed => fixed([1, 1, count, depth], 0, -1024, 1024, width);
const specOf = (count: number): Spec => ({ operands: [rows(count)], result: rows(count), attrs: { to: "client" } });

/** Opens the rows of a window, gives them to the client, and keeps them. */
const window: Program = {
  name: "window",
  hash: "00",
  setting: "2pc-dealer",
  inputs: { x: rows(length) },
  outputs: { y: { ...rows(length), width: 48, to: "client" } },
  weights: {},
  cached: { "a.key": { ...rows(length), past: 0 } },
  *body(_tools, party, { x }) {
    const share = (yield* seededShare.run(party.at("share"), specOf(length), x!)) as Share;
    const wire = yield* maskAndOpen(party.at("open"), share.tensor);
    const lifted: Share = { kind: "share", tensor: liftToRing(party.at("lift"), wire, 48) };
    const result = { ...rows(length), width: 48 };
    const y = yield* oneWayReveal.run(party.at("reveal"), { ...specOf(length), operands: [result], result }, lifted);
    return { y, "a.key": wire };
  },
};

/** Opens one row more, and gives the client its product with the sum of all rows so far. */
const next: Program = {
  ...window,
  name: "next",
  hash: "01",
  inputs: { x: rows(1) },
  outputs: { y: { ...rows(1), to: "client" } },
  cached: { "a.key": { ...rows(1), past: length - 1 } },
  *body(_tools, party, { x }, _weights, cached) {
    const share = (yield* seededShare.run(party.at("share"), specOf(1), x!)) as Share;
    const wire = yield* maskAndOpen(party.at("open"), share.tensor);
    const sum = mapMasked(concatMasked(cached["a.key"]!, wire, 2), (t) => reduceSum(t, [2], true));
    const spec = { ...specOf(1), operands: [rows(1), rows(1)] };
    const product = yield* maskedMul.run(party.at("product"), spec, wire, sum);
    return { y: yield* oneWayReveal.run(party.at("reveal"), specOf(1), product), "a.key": wire };
  },
};

const row = (place: number): readonly number[] => Array.from({ length: depth }, (_, k) => 3 * place + k - 4);
const inputOf = ({ program, position: place }: QueryPosition): Readonly<Record<string, IntTensor>> => {
  const places = program === 0 ? Array.from({ length }, (_, p) => p) : [place];
  return { x: intTensor([1, 1, places.length, depth], Float64Array.from(places.flatMap(row))) };
};
const starts = (place: number): QueryPosition => ({ program: 0, position: place });
const follows = (place: number): QueryPosition => ({ program: 1, position: place });
const session = (asked: readonly QueryPosition[], inputs = asked.map(inputOf), wrap?: (channel: Channel) => Channel) =>
  runSession(window, new Map(), inputs, wrap, { decodeProgram: next, positions: asked });

/** Whether a step reads anything but the rows before it, of its own text. */
async function otherRows(): Promise<boolean> {
  const asked = [starts(2), follows(2), follows(3), starts(1), follows(1), follows(2)];
  const { results } = await session(asked);
  return asked.some(({ program, position: place }, k) => {
    const [y] = [...results[k]!.outputs.values()];
    const sum = (at: number): number =>
      Array.from({ length: place + 1 }, (_, p) => row(p)[at]!).reduce((a, b) => a + b);
    return program === 1 && row(place).some((value, at) => y!.data![at] !== value * sum(at));
  });
}

/** Whether equal rows of one text show that they are. */
async function rowsShow(): Promise<boolean> {
  const asked = [starts(1), ...[1, 2, 3, 4].map(follows)];
  const same = { x: intTensor([1, 1, 1, depth], Float64Array.from(row(7))) };
  const sent: string[] = [];
  const wrap = (channel: Channel): Channel => {
    const send: Channel["send"] = (frame, kind) => {
      if (kind !== "control") sent.push(Buffer.from(frame).toString("hex"));
      return channel.send(frame, kind);
    };
    return new Proxy(channel, {
      get: (target, key) => {
        const value = key === "send" ? send : target[key as keyof Channel];
        return typeof value === "function" && key !== "send" ? value.bind(target) : value;
      },
    });
  };
  await session(
    asked,
    asked.map((each) => (each.program === 0 ? inputOf(each) : same)),
    wrap,
  );
  return new Set(sent).size < sent.length;
}

const answered = (asked: readonly QueryPosition[]): Promise<boolean> =>
  session(asked).then(
    () => true,
    (error: unknown) => {
      // That it was refused for its place, and did not fail otherwise.
      if (!/positions are cached/.test(String(error))) throw error;
      return false;
    },
  );

/** Whether a place is answered that is not the next one. */
const skips = async (): Promise<boolean> =>
  (await answered([starts(2), follows(3)])) || (await answered([starts(3), follows(2)]));

/** Whether a session goes on from rows of an earlier one. */
async function outlives(): Promise<boolean> {
  await session([starts(2), follows(2)]);
  return await answered([follows(3)]);
}

/** Whether a client goes on after a query of its session has failed. */
async function goesOn(): Promise<boolean> {
  const [client, server] = memoryPair("client", "server");
  const [clientDealer, dealerClient] = memoryPair("client", "dealer");
  const [serverDealer, dealerServer] = memoryPair("server", "dealer");
  const programs = { program: window, decodeProgram: next, tensors: new Map() };
  const others = [runDealer(window, { client: dealerClient, server: dealerServer }, next)] as Promise<unknown>[];
  const [serving, asking] = await Promise.all([
    openServer({ ...programs, peer: server, dealer: serverDealer }),
    openClient({ ...programs, peer: client, dealer: clientDealer }),
  ]);
  await Promise.all([asking.query(inputOf(starts(2)), starts(2)), serving.serve()]);
  others.push(serving.serve());
  for (const other of others) other.catch(() => {});
  // Rows of a whole window for one step: within their bounds, so the query fails in the middle, at the client.
  await asking.query(inputOf(starts(2)), follows(2)).catch(() => {});
  const late = new Promise<boolean>((resolve) => setTimeout(resolve, 300, true));
  const again = asking.prepare(follows(2)).then(
    () => true,
    (error: unknown) => !/failed before/.test(String(error)),
  );
  const alive = await Promise.race([again, late]);
  for (const channel of [client, server, clientDealer, dealerClient, serverDealer, dealerServer]) {
    await channel.close(sessionError("closed", { peer: channel.peer }));
  }
  return alive;
}

/** Whether attention over kept rows costs anything but what it costs over as many rows that are open. */
function opensAgain(): boolean {
  return [2, 5].some((past) => {
    const [own, before] = [fixed([1, 1, 1, 4], 8, -2, 2), fixed([1, 1, past, 4], 8, -2, 2)];
    const shared = { result: fixed([1, 1, 1, 4], 12, -2, 2, 36), attrs: { scale: 0.5, causal: true, score_bound: 12 } };
    const all = fixed([1, 1, past + 1, 4], 8, -2, 2);
    const [cached, whole] = [
      costOf(coarseMaxCachedAttention, { ...shared, operands: [own, own, own, before, before] }),
      costOf(coarseMaxAttention, { ...shared, operands: [own, all, all] }),
    ];
    return JSON.stringify(cached) !== JSON.stringify(whole);
  });
}

/** Every probe; true: it objects. */
export const keptProbes = {
  "session: a step reads the rows before it and no other": otherRows,
  "session: rows of one text hide under masks of their own": rowsShow,
  "session: only the next position is answered": skips,
  "session: no cache outlives its session": outlives,
  "session: nothing goes on after a failure": goesOn,
  "session: what is cached is not opened again": async () => opensAgain(),
} as const satisfies Record<string, () => Promise<boolean>>;
