// Three parties of a build in this process, and everything that each of them receives.
import type { LoadedParty } from "../../../compiler/build/load-party.ts";
import type { Role } from "../../../runtime/core/index.ts";
import { type IntTensor, intTensor, sizeOf } from "../../../runtime/ring/index.ts";
import { openClient, openServer, type QueryResult, runDealer } from "../../../runtime/session/index.ts";
import { type Channel, memoryPair } from "../../../runtime/transport/index.ts";
import type { Random } from "../random.ts";

export type Parties = Readonly<Record<Role, LoadedParty>>;

/** What the parties own. */
export interface Secrets {
  readonly inputs: Readonly<Record<string, IntTensor>>;
  readonly weights: ReadonlyMap<string, IntTensor>;
}

export interface Views {
  /** Payload bytes in the order in which the party received them. */
  readonly received: Readonly<Record<Role, Uint8Array>>;
  /** Kinds and lengths of the messages. */
  readonly lengths: string;
  readonly results: Readonly<Record<"client" | "server", QueryResult>>;
}

const within = (shape: readonly number[], lo: number, hi: number, random: Random): IntTensor => {
  const values = Array.from({ length: sizeOf(shape) }, () => lo + random.below(hi - lo + 1));
  return intTensor(shape, Float64Array.from(values));
};

/** Values within their public bounds, and private weights as large as the true ones. */
export function drawSecrets({ server }: Parties, random: Random): Secrets {
  const { program, tensors } = server;
  const inputs = Object.entries(program.inputs).map(([name, { shape, scale, lo, hi }]): [string, IntTensor] => [
    name,
    within(shape, Math.ceil(lo * 2 ** scale), Math.floor(hi * 2 ** scale), random),
  ]);
  const open = new Set(
    Object.values(program.weights).flatMap(({ form, tensor }) =>
      form === "public" || form === "disclosed" ? [tensor] : [],
    ),
  );
  const weights = [...tensors].map(([name, tensor]): [string, IntTensor] => {
    const most = (tensor.data ?? new Float64Array(1)).reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
    return [name, open.has(name) ? tensor : within(tensor.shape, -most, most, random)];
  });
  return { inputs: Object.fromEntries(inputs), weights: new Map(weights) };
}

/** One session with one query. @throws as a party does */
export async function runViews({ client, server, dealer }: Parties, { inputs, weights }: Secrets): Promise<Views> {
  const received: Record<Role, Uint8Array[]> = { client: [], server: [], dealer: [] };
  const lengths: string[] = [];
  const ends = (a: Role, b: Role): readonly [Channel, Channel] => {
    const [atA, atB] = memoryPair(a, b, { idleTimeoutMs: 5000 });
    return [watched(atA, a), watched(atB, b)];
  };
  const watched = (channel: Channel, role: Role): Channel => {
    const receive: Channel["receive"] = async (expected) => {
      const bytes = await channel.receive(expected);
      if (expected.kind !== "control") {
        received[role].push(bytes.slice());
        lengths.push(`${channel.peer} to ${role}: ${bytes.length}`);
      }
      return bytes;
    };
    const bound = (key: string | symbol): unknown => {
      const value = channel[key as keyof Channel];
      return typeof value === "function" ? value.bind(channel) : value;
    };
    return new Proxy(channel, { get: (_, key) => (key === "receive" ? receive : bound(key)) });
  };
  const [clientServer, serverClient] = ends("client", "server");
  const [clientDealer, dealerClient] = ends("client", "dealer");
  const [serverDealer, dealerServer] = ends("server", "dealer");
  const all = [clientServer, serverClient, clientDealer, dealerClient, serverDealer, dealerServer];
  const own = (of: string | undefined) =>
    Object.fromEntries(Object.entries(inputs).filter(([name]) => client.program.inputs[name]?.of === of));
  const asServer = async (): Promise<QueryResult> => {
    const tensors = new Map([...server.tensors, ...weights]);
    const session = await openServer({ program: server.program, tensors, peer: serverClient, dealer: serverDealer });
    const result = await session.serve(async () => own("server"));
    await session.serve();
    return result!;
  };
  const asClient = async (): Promise<QueryResult> => {
    const { program, tensors } = client;
    const session = await openClient({ program, tensors, peer: clientServer, dealer: clientDealer });
    const result = await session.query(own(undefined));
    await session.end();
    return result;
  };
  try {
    const dealing = runDealer(dealer.program, { client: dealerClient, server: dealerServer });
    const [mine, theirs] = await Promise.all([asClient(), asServer(), dealing]);
    const joined = Object.fromEntries(
      Object.entries(received).map(([role, frames]) => [role, Uint8Array.from(Buffer.concat(frames))]),
    );
    return {
      received: joined as Views["received"],
      lengths: lengths.sort().join(),
      results: { client: mine, server: theirs },
    };
  } finally {
    for (const channel of all) void channel.close();
  }
}
