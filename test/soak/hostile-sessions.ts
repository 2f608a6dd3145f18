import { join } from "node:path";
import { loadPartyBuild, sessionOptions } from "../../compiler/build/index.ts";
import { readIdentity } from "../../compiler/keys/index.ts";
import { checkInputs, openClientExecutor, readInputFiles } from "../../compiler/run/index.ts";
import { sendProgram } from "../../compiler/services/program-frame.ts";
import { type OtherParties, reachParties } from "../../compiler/services/reach-parties.ts";
import {
  agreementOf,
  connectionPurposes,
  handshakeFields,
  newSessionId,
} from "../../compiler/services/session-agreement.ts";
import { handshake, openClient, openServer } from "../../runtime/session/index.ts";
import { type Channel, memoryPair } from "../../runtime/transport/index.ts";
import { connect, type Identity } from "../../runtime/transport/node/index.ts";
import { type HonestClient, honestClient, type Outcome } from "./clients.ts";
import { type Deployment, deploy, forget, type Prepared, prepare, watchResources } from "./deployment.ts";
import { around, createMutations, type Frame } from "./frame-changes.ts";
import { type Row, row, type Setup, wait } from "./scenarios.ts";

/** A client, and a server that has no process, whose frames pass through what a scenario makes of them. */
async function openHostile({ build, keys, input }: Prepared, at: Deployment) {
  const part = await loadPartyBuild(build, "client");
  const identity = await readIdentity(join(keys, "client"));
  const executor = await openClientExecutor(part, {});
  const { shared } = await executor.prepare(checkInputs(part.manifest, readInputFiles([input])));
  await executor.release();
  const parties: OtherParties = { part, identity, server: at.server, dealer: at.dealer };
  const served = await loadPartyBuild(build, "server");
  const serverIdentity = await readIdentity(join(keys, "server"));

  /** Queries until the session fails, or as many as were asked for. */
  const session = async (watched: (channel: Channel) => Channel, queries = 1): Promise<void> => {
    const channels: Channel[] = [];
    try {
      const reached = await reachParties(parties, channels, watched, () => false);
      const party = await openClient({ ...sessionOptions(part), peer: reached.server, dealer: reached.dealer });
      for (let k = 0; k < queries; k++) await party.query(shared);
      await party.end();
    } catch {
      // Whatever it is: the services must not mind.
    } finally {
      await Promise.all(channels.map((channel) => channel.close()));
    }
  };

  /** The same, of a client and a server that deceive the dealer together. */
  const pair = async (watched: (channel: Channel) => Channel, queries: number): Promise<void> => {
    const id = newSessionId();
    const purpose = connectionPurposes.correlations;
    const [peer, atServer] = memoryPair("client", "server", { idleTimeoutMs: 2_000 });
    const channels: Channel[] = [peer, atServer];
    const reach = async (own: Identity): Promise<Channel> => {
      const channel = await connect({ ...at.dealer, identity: own, expect: "dealer", purpose, session: id });
      channels.push(channel);
      return watched(channel);
    };
    const agree = (channel: Channel, role: "client" | "server") =>
      handshake(channel, handshakeFields(agreementOf(part), role, id), { timeoutMs: 5_000 });
    const asClient = async (): Promise<void> => {
      const dealer = await reach(identity);
      await agree(dealer, "client");
      const party = await openClient({ ...sessionOptions(part), peer, dealer });
      for (let k = 0; k < queries; k++) await party.query(shared);
      await party.end();
    };
    const asServer = async (): Promise<void> => {
      const dealer = await reach(serverIdentity);
      await sendProgram(dealer, agreementOf(served), served.mir);
      await agree(dealer, "server");
      const party = await openServer({ ...sessionOptions(served), peer: atServer, dealer });
      while (await party.serve());
    };
    const end = (): Promise<unknown> => Promise.all(channels.map((channel) => channel.close()));
    const whole = [asClient(), asServer()].map((work) => work.catch(end));
    await Promise.all(whole);
    await end();
  };
  return { parties, session, pair };
}

const attackers = 8;
/** One session in so many is of a client and a server together: few of its frames leave the process. */
const pairsAmong = 16;

/**
 * Sessions with valid keys whose frames change on their way out, several at once: of a client, and of a client and a
 * server against the dealer. An honest query now and then. No seed of the dealer comes twice. The program has many
 * rounds: a session whose frames keep their form goes through all of them.
 */
export async function mutated({ size }: Setup): Promise<Row> {
  const built = await prepare(size.frameLayers);
  const at = await deploy(built);
  try {
    return await changedFrames(built, at, await honestClient(built, size.hungSeconds), size.frames);
  } finally {
    await at.stop();
    forget(built);
  }
}

/** The same at the deployment of the other scenarios. */
export const mutatedTiny = ({ tiny, at, client, size }: Setup): Promise<Row> =>
  changedFrames(tiny, at, client, size.frames);

async function changedFrames(built: Prepared, at: Deployment, client: HonestClient, frames: number): Promise<Row> {
  const { session, pair } = await openHostile(built, at);
  const mutations = createMutations();
  const seeds = createSeedLog();
  const outcomes: Outcome[] = [await client.ask(at)];
  const watch = watchResources(at);
  let sessions = 0;
  const attack = async (): Promise<void> => {
    while (mutations.count() < frames) {
      const send = mutations.session();
      const watched = (channel: Channel): Channel => around(channel, { send, seen: seeds.of(channel) });
      await (++sessions % pairsAmong === 0 ? pair(watched, 1) : session(watched, 100));
    }
  };
  const started = performance.now();
  const attacks = Promise.all(Array.from({ length: attackers }, attack));
  let isOver = false;
  void attacks.then(() => (isOver = true));
  // Asked as often as the run is long: the honest queries must not be most of its work.
  const pauseMs = Math.min(5_000, 100 + frames / 20);
  for (let looks = 1; !isOver; ) {
    await wait(pauseMs);
    outcomes.push(await client.ask(at));
    if (mutations.count() < (frames * looks) / 5) continue;
    looks++;
    watch.look();
    console.error(`${mutations.text()}; ${Math.round((performance.now() - started) / 1000)} s; ${watch.text()}`);
  }
  await attacks;
  const perSecond = Math.round(mutations.count() / ((performance.now() - started) / 1000));
  outcomes.push(await client.ask(at));
  await wait(Math.min(pauseMs, 2_000));
  watch.look();
  const all = outcomes.every(({ end }) => end === "right");
  const measured = `${mutations.text()}, ${perSecond} a second; ${seeds.text()}; ${watch.text()}`;
  // A heap grows until it is worth collecting; many frames show whether it is.
  const isFlat = frames < 10_000 || watch.isFlat();
  return row("changed frames", outcomes, measured, all && isFlat && seeds.areFresh());
}

/**
 * Frames of a session that was answered, sent again under its id, to both parties and twice at once. Every seed that the
 * dealer gives out is fresh: two that are equal would be two queries under the same masks.
 */
export async function replayed(setup: Setup): Promise<Row> {
  const { client, at, size, tiny } = setup;
  const { session, parties } = await openHostile(tiny, at);
  const seeds = createSeedLog();
  const outcomes: Outcome[] = [];
  let replays = 0;
  for (let k = 0; k < size.probes; k++) {
    const sent: Record<string, Frame[]> = { server: [], dealer: [] };
    await session((channel) =>
      around(channel, {
        send: (frame) => {
          sent[channel.peer]!.push(frame);
          return [frame];
        },
        seen: seeds.of(channel),
      }),
    );
    const id = (JSON.parse(new TextDecoder().decode(sent.server![0]!.bytes)) as { session: string }).session;
    const replay = async (peer: "server" | "dealer"): Promise<void> => {
      const purpose = peer === "server" ? connectionPurposes.online : connectionPurposes.correlations;
      const channel = await connect({
        ...parties[peer],
        identity: parties.identity,
        expect: peer,
        purpose,
        session: id,
      });
      replays++;
      try {
        for (const { bytes, kind } of sent[peer]!) await channel.send(bytes, kind);
        await channel.receive({ maxBytes: 4096, kind: "control", timeoutMs: 1_000 });
        if (peer === "dealer") seeds.add(await channel.receive({ exactBytes: 32, timeoutMs: 1_000 }));
      } catch {
        // Refused, or nobody to talk to.
      } finally {
        await channel.close();
      }
    };
    await Promise.all([replay("server"), replay("dealer"), replay("server"), replay("dealer")]);
    outcomes.push(await client.ask(at));
  }
  const all = outcomes.every(({ end }) => end === "right");
  const isFine = all && seeds.areFresh() && seeds.count() >= size.probes;
  return row("replayed sessions", outcomes, `${replays} replays, ${seeds.text()}`, isFine);
}

/** The seeds that the dealer gave out. Two that are equal would be two queries under the same masks. */
function createSeedLog() {
  const seeds = new Set<string>();
  let count = 0;
  const add = (seed: Uint8Array): void => {
    count++;
    seeds.add(Buffer.from(seed).toString("hex"));
  };
  const areFresh = (): boolean => seeds.size === count;
  return {
    add,
    areFresh,
    count: () => count,
    text: () => `${count} seeds, ${count - seeds.size} twice`,
    /** For a channel: its second frame from the dealer, after the handshake, is a seed. */
    of: (channel: Channel): ((frame: Uint8Array) => void) => {
      let nth = 0;
      return (frame) => {
        if (channel.peer === "dealer" && ++nth === 2 && frame.length === 32) add(frame);
      };
    },
  };
}
