import { runDealer } from "../../runtime/session/dealer-session.ts";
import { sessionError } from "../../runtime/session/errors.ts";
import {
  type ClientSession,
  openClient,
  openServer,
  type QueryResult,
  type ServerSession,
} from "../../runtime/session/party-session.ts";
import { predict } from "../../runtime/session/predict.ts";
import type { Role } from "../../runtime/steps.ts";
import type { Channel } from "../../runtime/transport/channel.ts";
import type { TypedTensor } from "../weights/npy.ts";
import { loadPart, type Part } from "./build-parts.ts";
import { openClientPart, type Prepared } from "./client-part.ts";
import { expectedOf, type Metered, meter, setupRounds, type Total, watched, watchMemory } from "./meter.ts";
import { dequantise } from "./quantise.ts";

/** One party of a local run; each method is called on all three, and waits for the others as a real party would. */
export interface Party {
  readonly open: () => Promise<void>;
  /** Client: runs the public part, so that a bad input is found before anything is sent. */
  readonly prepare: (inputs: ReadonlyMap<string, TypedTensor>) => Promise<void>;
  readonly query: () => Promise<PartyQuery>;
  readonly end: () => Promise<PartyReport>;
  /** Drops the links: whoever waits for this party learns that it left. */
  readonly abandon: () => Promise<void>;
}

export interface PartyQuery {
  readonly outputs: ReadonlyMap<string, TypedTensor>;
  /** Revealed integers by value of the program. */
  readonly raw: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float64Array }>;
  readonly seconds: { readonly offline: number; readonly online: number };
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

const nothing: PartyQuery = { outputs: new Map(), raw: new Map(), seconds: { offline: 0, online: 0 } };

export async function createParty(dir: string, role: Role, links: Links): Promise<Party> {
  const part = await loadPart(dir, role);
  const watch = watchMemory();
  const all = Object.values(links).map((channel: Channel) => watched(channel, watch));
  const to = (peer: Role): Channel => all.find((channel) => channel.peer === peer)!;
  const { rounds, ...party } = await behaviours[role](part, to);
  let queries = 0;
  return {
    ...party,
    query: async () => {
      queries += 1;
      return party.query();
    },
    end: async () => {
      await party.end();
      const measured = meter(role, all);
      await Promise.all(all.map((channel) => channel.close()));
      const counted = rounds && { rounds: rounds(), predicted: expectedOf(predict(part.program), queries) };
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
  readonly prepare: (inputs: ReadonlyMap<string, TypedTensor>) => Promise<void>;
  readonly query: () => Promise<PartyQuery>;
  readonly end: () => Promise<void>;
  readonly rounds?: () => number;
}

async function dealerOf({ program }: Part, to: (peer: Role) => Channel): Promise<Behaviour> {
  let dealing: Promise<unknown> = Promise.resolve();
  return {
    open: async () => {
      dealing = runDealer(program, { client: to("client"), server: to("server") });
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
  const opening = { program: part.program, tensors: part.tensors, peer: to("server"), dealer: to("dealer") };
  let session: ClientSession | undefined;
  let prepared: Prepared | undefined;
  let rounds = setupRounds;
  return {
    open: async () => {
      session = await openClient(opening);
    },
    prepare: async (inputs) => {
      prepared = await around.before(inputs);
    },
    query: async () => {
      const result = await session!.query(prepared!.shared);
      rounds += result.rounds;
      return { outputs: await around.after(prepared!, result.outputs), raw: rawOf(result), seconds: result.seconds };
    },
    end: async () => {
      await session!.end();
      await around.release();
    },
    rounds: () => rounds,
  };
}

async function serverOf(part: Part, to: (peer: Role) => Channel): Promise<Behaviour> {
  const opening = { program: part.program, tensors: part.tensors, peer: to("client"), dealer: to("dealer") };
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
      return { outputs: revealedToServer(part, result), raw: rawOf(result), seconds: result.seconds };
    },
    // Hears that the client ended, and tells the dealer.
    end: async () => void (await session!.serve()),
    rounds: () => rounds,
  };
}

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
