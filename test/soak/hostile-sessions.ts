import { randomInt } from "node:crypto";
import { join } from "node:path";
import { loadPartyBuild, sessionOptions } from "../../compiler/build/index.ts";
import { readIdentity } from "../../compiler/keys/index.ts";
import { checkInputs, openClientExecutor, readInputFiles } from "../../compiler/run/index.ts";
import { type OtherParties, reachParties } from "../../compiler/services/reach-parties.ts";
import { connectionPurposes } from "../../compiler/services/session-agreement.ts";
import { openClient } from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { connect } from "../../runtime/transport/node/index.ts";
import type { Outcome } from "./clients.ts";
import { type Row, row, type Setup, wait } from "./scenarios.ts";

type FrameKind = "payload" | "control";
interface Frame {
  readonly bytes: Uint8Array;
  readonly kind: FrameKind;
}
/** What leaves instead of a frame. */
type Change = (frame: Frame) => readonly Frame[];

const flip: Change = ({ bytes, kind }) => {
  const changed = bytes.slice();
  if (changed.length > 0) changed[randomInt(changed.length)]! ^= 1 << randomInt(8);
  return [{ bytes: changed, kind }];
};
/** Content changes keep a session going, so most frames have one; the others end it at once. */
const changes: readonly Change[] = [
  ...Array.from({ length: 60 }, () => flip),
  ({ bytes, kind }) => [{ bytes: bytes.slice(0, randomInt(bytes.length + 1)), kind }],
  ({ bytes, kind }) => [{ bytes: new Uint8Array(bytes.length + 1 + randomInt(4096)), kind }],
  ({ bytes, kind }) => [{ bytes, kind: kind === "payload" ? "control" : "payload" }],
  (frame) => [frame, frame],
  () => [],
];

const around = (
  channel: Channel,
  hooks: { readonly send?: Change; readonly seen?: (f: Uint8Array) => void },
): Channel => ({
  ...{ peer: channel.peer, left: channel.left, sent: channel.sent, received: channel.received },
  send: async (bytes, kind = "payload") => {
    for (const frame of hooks.send?.({ bytes, kind }) ?? [{ bytes, kind }]) await channel.send(frame.bytes, frame.kind);
  },
  receive: async (expected) => {
    const frame = await channel.receive({ ...expected, timeoutMs: 1_000 });
    hooks.seen?.(frame.slice());
    return frame;
  },
  close: (reason) => channel.close(reason),
});

/** A client of which a session can be taken apart. */
async function openHostile({ tiny, at }: Setup) {
  const part = await loadPartyBuild(tiny.build, "client");
  const identity = await readIdentity(join(tiny.keys, "client"));
  const executor = await openClientExecutor(part, {});
  const { shared } = await executor.prepare(checkInputs(part.manifest, readInputFiles([`tokens=${tiny.input}`])));
  await executor.release();
  const parties: OtherParties = { part, identity, server: at.server, dealer: at.dealer };
  const session = async (watched: (channel: Channel) => Channel): Promise<void> => {
    const channels: Channel[] = [];
    try {
      const reached = await reachParties(parties, channels, watched, () => false);
      const party = await openClient({ ...sessionOptions(part), peer: reached.server, dealer: reached.dealer });
      await party.query(shared);
      await party.end();
    } catch {
      // Whatever it is: the services must not mind.
    } finally {
      await Promise.all(channels.map((channel) => channel.close()));
    }
  };
  return { parties, session };
}

/** Sessions with a valid key whose frames change on their way out, several at once, and an honest query now and then. */
export async function mutated(setup: Setup): Promise<Row> {
  const { size, client, at } = setup;
  const { session } = await openHostile(setup);
  const outcomes: Outcome[] = [];
  let [frames, sessions] = [0, 0];
  const send: Change = (frame) => {
    frames++;
    return changes[randomInt(changes.length)]!(frame);
  };
  const attack = async (): Promise<void> => {
    while (frames < size.frames) {
      sessions++;
      // Handshakes and requests are right in most sessions, so that these go on.
      const inControl = sessions % 8 === 0;
      const change: Change = (frame) => (frame.kind === "control" && !inControl ? [frame] : send(frame));
      await session((channel) => around(channel, { send: change }));
    }
  };
  const attacks = Promise.all([attack(), attack(), attack(), attack()]);
  let isOver = false;
  void attacks.then(() => (isOver = true));
  do {
    outcomes.push(await client.ask(at));
    await wait(200);
  } while (!isOver);
  await attacks;
  outcomes.push(await client.ask(at));
  const all = outcomes.every(({ end }) => end === "right");
  return row("changed frames", outcomes, `${frames} frames in ${sessions} sessions`, all);
}

/**
 * Frames of a session that was answered, sent again under its id, to both parties and twice at once. Every seed that the
 * dealer gives out is fresh: two that are equal would be two queries under the same masks.
 */
export async function replayed(setup: Setup): Promise<Row> {
  const { client, at, size } = setup;
  const { session, parties } = await openHostile(setup);
  const seeds: string[] = [];
  const outcomes: Outcome[] = [];
  let replays = 0;
  for (let k = 0; k < size.probes; k++) {
    const sent: Record<string, Frame[]> = { server: [], dealer: [] };
    await session((channel) => {
      let first = true;
      return around(channel, {
        send: (frame) => {
          sent[channel.peer]!.push(frame);
          return [frame];
        },
        seen: (frame) => {
          if (channel.peer === "dealer" && !first && frame.length === 32)
            seeds.push(Buffer.from(frame).toString("hex"));
          first = false;
        },
      });
    });
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
        if (peer === "dealer")
          seeds.push(Buffer.from(await channel.receive({ exactBytes: 32, timeoutMs: 1_000 })).toString("hex"));
      } catch {
        // Refused, or nobody to talk to.
      } finally {
        await channel.close();
      }
    };
    await Promise.all([replay("server"), replay("dealer"), replay("server"), replay("dealer")]);
    outcomes.push(await client.ask(at));
  }
  const fresh = new Set(seeds).size === seeds.length && seeds.length >= size.probes;
  const all = outcomes.every(({ end }) => end === "right");
  return row(
    "replayed sessions",
    outcomes,
    `${replays} replays, ${seeds.length} seeds, all different: ${fresh}`,
    all && fresh,
  );
}
