import { randomBytes } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import * as tls from "node:tls";
import { loadPartyBuild, type PartyBuild } from "../../compiler/build/index.ts";
import { readIdentity } from "../../compiler/keys/index.ts";
import type { Endpoint } from "../../compiler/services/index.ts";
import {
  agreementOf,
  connectionPurposes,
  handshakeFields,
  newSessionId,
} from "../../compiler/services/session-agreement.ts";
import { handshake } from "../../runtime/session/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { connect, type Identity } from "../../runtime/transport/node/index.ts";
import type { Deployment, Prepared } from "./deployment.ts";

/** Peers that hold a valid key, or none, and do harm with it until `stop`. */
export interface BadPeers {
  /** TCP connections that say nothing, at the server and at the dealer. */
  readonly unauthenticated: (count: number) => void;
  /** Connections to the dealer with the client's key that greet and close. */
  readonly zombies: (count: number) => Promise<void>;
  /** Sessions that agree, each up to another step, and then say nothing. */
  readonly silent: (count: number) => Promise<void>;
  /** Sessions that agree and then send a byte a second. */
  readonly trickling: (count: number) => Promise<void>;
  readonly stop: () => void;
}

export async function badPeers(prepared: Prepared, { server, dealer }: Deployment): Promise<BadPeers> {
  const part: PartyBuild = await loadPartyBuild(prepared.build, "client");
  const identity = await readIdentity(join(prepared.keys, "client"));
  const stops: (() => void)[] = [];
  const dial = async (at: Endpoint, expect: "server" | "dealer", session: string): Promise<Channel> => {
    const purpose = expect === "server" ? connectionPurposes.online : connectionPurposes.correlations;
    const channel = await connect({ host: at.host, port: at.port, identity, expect, purpose, session });
    stops.push(() => void channel.close());
    return channel;
  };
  const ignore = (work: Promise<unknown>): void => void work.catch(() => {});
  return {
    unauthenticated: (count) => {
      for (const { host, port } of [server, dealer]) {
        for (let k = 0; k < count; k++) {
          const socket = connectTcp({ host, port }).on("error", () => {});
          stops.push(() => socket.destroy());
        }
      }
    },
    zombies: async (count) => {
      for (let k = 0; k < count; k++) {
        // One that is refused has done its harm as well.
        await dial(dealer, "dealer", newSessionId()).then(
          (channel) => channel.close(),
          () => {},
        );
      }
    },
    silent: async (count) => {
      const reach = async (k: number): Promise<void> => {
        const session = newSessionId();
        const mine = handshakeFields(agreementOf(part), "client", session);
        const atServer = await dial(server, "server", session);
        if (k % 3 === 0) return;
        await handshake(atServer, mine);
        if (k % 3 === 1) return;
        const atDealer = await dial(dealer, "dealer", session);
        await handshake(atDealer, mine);
        await atDealer.receive({ exactBytes: 32 });
        await atServer.send(randomBytes(32));
        await atServer.send(new TextEncoder().encode('{"kind":"query","query":0}'), "control");
      };
      await Promise.allSettled(Array.from({ length: count }, (_, k) => reach(k)));
    },
    trickling: async (count) => {
      for (let k = 0; k < count; k++) ignore(trickle(server, identity, stops));
    },
    stop: () => {
      for (const stop of stops.splice(0)) stop();
    },
  };
}

/** Greets, then sends the bytes of a frame one by one. */
async function trickle({ host, port }: Endpoint, { key, certificate }: Identity, stops: (() => void)[]): Promise<void> {
  const socket = tls.connect({ host, port, key, cert: certificate, rejectUnauthorized: false }).on("error", () => {});
  const frame = (text: string): Buffer => {
    const head = Buffer.alloc(5, 1);
    head.writeUInt32LE(Buffer.byteLength(text));
    return Buffer.concat([head, Buffer.from(text)]);
  };
  socket.write(frame(JSON.stringify({ marillc: 1, purpose: "online", session: newSessionId() })));
  const slow = frame("x".repeat(600));
  let at = 0;
  const timer = setInterval(() => socket.write(slow.subarray(at, ++at)), 1_000);
  stops.push(() => {
    clearInterval(timer);
    socket.destroy();
  });
  socket.once("close", () => clearInterval(timer));
}
