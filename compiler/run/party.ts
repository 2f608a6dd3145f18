import type { Role } from "../../runtime/core/index.ts";
import { sessionError } from "../../runtime/core/index.ts";
import {
  type Asked,
  type ClientSession,
  openClient,
  openServer,
  predictions,
  programsOf,
  type QueryResult,
  runDealer,
  type ServerSession,
  windowAsked,
} from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { loadPart, openingOf, type Part } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { openClientPart, type Prepared } from "./client-part.ts";
import {
  expectedOf,
  type Metered,
  meter,
  setupRounds,
  since,
  type Total,
  totalOf,
  watched,
  watchMemory,
} from "./meter.ts";
import { dequantise } from "./quantise.ts";

/** One party of a local run; each method is called on all three, and waits for the others as a real party would. */
export interface Party {
  readonly open: () => Promise<void>;
  /** Client: runs the public part, so that a bad input is found before anything is sent. */
  readonly prepare: (question: Question) => Promise<void>;
  readonly query: () => Promise<PartyQuery>;
  readonly end: () => Promise<PartyReport>;
  /** Drops the links: whoever waits for this party learns that it left. */
  readonly abandon: () => Promise<void>;
}

/** The model's inputs, and in a session that keeps state what is asked about them. */
export interface Question {
  readonly inputs: ReadonlyMap<string, TypedTensor>;
  readonly asked?: Asked;
}

export interface PartyQuery {
  readonly outputs: ReadonlyMap<string, TypedTensor>;
  /** Revealed integers by value of the program. */
  readonly raw: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float64Array }>;
  /** `clear`: what the client computed alone. */
  readonly seconds: { readonly clear: number; readonly offline: number; readonly online: number };
  /** What this party counted in it: bytes on its links, both ways. */
  readonly bytes: Metered["bytes"];
  readonly rounds?: number;
  /** What was counted for it before it ran, by the client. */
  readonly predicted?: Total;
}

export interface PartyReport extends Metered {
  readonly role: Role;
  readonly peakMegabytes: number;
  /** As often as it counts them: the dealer knows of no rounds. */
  readonly rounds?: number;
  readonly predicted?: Total;
}

export interface Links {
  readonly client?: Channel;
  readonly server?: Channel;
  readonly dealer?: Channel;
}

const behaviours: Readonly<Record<Role, (part: Part, to: (peer: Role) => Channel) => Promise<Behaviour>>> = {
  client: clientOf,
  server: serverOf,
  dealer: dealerOf,
};

type Answer = Omit<PartyQuery, "bytes" | "predicted">;
const nothing: Answer = { outputs: new Map(), raw: new Map(), seconds: { clear: 0, offline: 0, online: 0 } };

/** `keep`: the session goes on place by place from what the window keeps, where the build has a program for that. */
export async function createParty(dir: string, role: Role, links: Links, keep = false): Promise<Party> {
  const loaded = await loadPart(dir, role);
  const { decode: _, ...window } = loaded;
  const part: Part = keep ? loaded : { ...window, windows: [] };
  const watch = watchMemory();
  const all = Object.values(links).map((channel: Channel) => watched(channel, watch));
  const to = (peer: Role): Channel => all.find((channel) => channel.peer === peer)!;
  const { rounds, ...party } = await behaviours[role](part, to);
  const programs = programsOf(openingOf(part));
  const predicted = predictions(programs);
  const questions: Asked[] = [];
  let asked: Asked = windowAsked;
  return {
    ...party,
    prepare: async (question) => {
      asked = question.asked ?? windowAsked;
      await party.prepare(question);
    },
    query: async () => {
      questions.push(asked);
      const before = meter(role, all);
      const answer = await party.query();
      const total = role === "client" ? { predicted: totalOf([predicted(asked)]) } : {};
      return { ...answer, bytes: since(meter(role, all), before), ...total };
    },
    end: async () => {
      await party.end();
      const measured = meter(role, all);
      await Promise.all(all.map((channel) => channel.close()));
      const counted = rounds && { rounds: rounds(), predicted: expectedOf(programs, questions) };
      return { ...measured, role, ...counted, peakMegabytes: watch.stop() };
    },
    abandon: async () => {
      watch.stop();
      // With a reason: without one a close waits for what is still to be sent, to parties that may not read any more.
      await Promise.all(all.map((channel) => channel.close(sessionError("closed", { peer: channel.peer }))));
    },
  };
}

interface Behaviour {
  readonly open: () => Promise<void>;
  readonly prepare: (question: Question) => Promise<void>;
  readonly query: () => Promise<Answer>;
  readonly end: () => Promise<void>;
  readonly rounds?: () => number;
}

async function dealerOf({ program, decode, windows }: Part, to: (peer: Role) => Channel): Promise<Behaviour> {
  let dealing: Promise<unknown> = Promise.resolve();
  return {
    open: async () => {
      dealing = runDealer(program, { client: to("client"), server: to("server") }, decode, windows);
      // Heard of at the end, or not at all when another party failed first.
      dealing.catch(() => {});
    },
    prepare: async () => {},
    query: async () => nothing,
    end: async () => void (await dealing),
  };
}

async function clientOf(part: Part, to: (peer: Role) => Channel): Promise<Behaviour> {
  const around = await openClientPart(part);
  const opening = { ...openingOf(part), peer: to("server"), dealer: to("dealer") };
  let session: ClientSession | undefined;
  let prepared: Prepared | undefined;
  let before = 0;
  let rounds = setupRounds;
  return {
    open: async () => {
      session = await openClient(opening);
    },
    prepare: async ({ inputs, asked }) => {
      before = around.seconds();
      prepared = await around.before(inputs, asked);
    },
    query: async () => {
      const result = await session!.query(prepared!.shared, prepared!.asked);
      rounds += result.rounds;
      const outputs = await around.after(prepared!, result.outputs);
      return { outputs, ...answerOf(result, around.seconds() - before) };
    },
    end: async () => {
      await session!.end();
      await around.release();
    },
    rounds: () => rounds,
  };
}

async function serverOf(part: Part, to: (peer: Role) => Channel): Promise<Behaviour> {
  const opening = { ...openingOf(part), peer: to("client"), dealer: to("dealer") };
  let session: ServerSession | undefined;
  let rounds = setupRounds;
  return {
    open: async () => {
      session = await openServer(opening);
    },
    prepare: async () => {},
    query: async () => {
      const result = await session!.serve();
      if (!result) throw new Error("the client ended the session within a query");
      rounds += result.rounds;
      return { outputs: revealedToServer(part, result), ...answerOf(result) };
    },
    // Hears that the client ended, and tells the dealer.
    end: async () => void (await session!.serve()),
    rounds: () => rounds,
  };
}

const answerOf = (result: QueryResult, clear = 0) => ({
  raw: rawOf(result),
  seconds: { clear, ...result.seconds },
  rounds: result.rounds,
});

const rawOf = ({ outputs }: QueryResult): PartyQuery["raw"] =>
  new Map([...outputs].map(([id, { shape, data }]) => [id, { shape, data: data! }]));

function revealedToServer({ manifest, program }: Part, { outputs }: QueryResult): ReadonlyMap<string, TypedTensor> {
  const mine = manifest.reveals.filter(({ to, value }) => to === "server" && outputs.has(value));
  return new Map(
    mine.map(({ value, tensor }) => {
      const real = dequantise(outputs.get(value)!, program.outputs[value]!.scale);
      return [tensor, { dtype: "float32", tensor: real }];
    }),
  );
}
