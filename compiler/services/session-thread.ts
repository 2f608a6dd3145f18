import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import type { Role } from "../../runtime/core/index.ts";
import type { Channel, ExpectedFrame } from "../../runtime/transport/index.ts";
import { decodeFailure, encodeFailure } from "../run/index.ts";
import { dealerWork } from "./dealer-work.ts";
import { serverWork } from "./server-work.ts";
import type { FromThread, SessionChannels, SessionWork, ToThread, WorkSource } from "./session-work.ts";

/** A sender waits while this much of its frames has not left the process. */
const sendWindowBytes = 2 ** 22;

const longStepNiceness = 10;

interface PendingCall {
  readonly resolve: (reply: Extract<ToThread, { kind: "reply" }>) => void;
  readonly reject: (error: Error) => void;
}
type Call = (message: CallMessage) => ReturnType<typeof callHost>;
type CallMessage =
  | { readonly kind: "room"; readonly link: Role }
  | { readonly kind: "receive"; readonly link: Role; readonly expected: ExpectedFrame }
  | { readonly kind: "ask"; readonly question: unknown };

const source = workerData as WorkSource;
let loading: Promise<SessionWork> | undefined;
/** A session reports why its work cannot be loaded; the next one tries again. */
function load(): Promise<SessionWork> {
  loading ??= (source.kind === "server" ? serverWork(source) : Promise.resolve(dealerWork())).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}
load().catch(() => {});
// Nobody waits for a long step as for a short one. Linux gives each thread a priority of its own.
if (source.kind === "dealer" && source.isLong && process.platform === "linux") setPriority(0, longStepNiceness);
const pending = new Map<number, PendingCall>();
let calls = 0;

const say = (message: FromThread, transfer: ArrayBuffer[] = []): void => parentPort!.postMessage(message, transfer);

function callHost(session: number, message: CallMessage): Promise<Extract<ToThread, { kind: "reply" }>> {
  return new Promise((resolve, reject) => {
    const call = calls++;
    pending.set(call, { resolve, reject });
    say({ session, call, ...message });
  });
}

const noTraffic = { messages: 0, payloadBytes: 0, framingBytes: 0 };

/** The end of a link in the other thread, which counts, keeps deadlines and closes. */
function remoteLink(session: number, link: Role, call: Call): Channel {
  let unsaid = 0;
  let waitedMs = 0;
  return {
    peer: link,
    left: new Promise(() => {}),
    sent: noTraffic,
    received: noTraffic,
    get waitedMs() {
      return waitedMs;
    },
    send: async (frame, frameKind = "payload") => {
      const own = frame.slice().buffer;
      say({ session, kind: "send", link, frame: own, frameKind }, [own]);
      unsaid += own.byteLength;
      if (unsaid < sendWindowBytes) return;
      unsaid = 0;
      await call({ kind: "room", link });
    },
    receive: async (expected) => {
      const reply = await call({ kind: "receive", link, expected });
      waitedMs = reply.waitedMs ?? 0;
      return new Uint8Array(reply.frame!);
    },
    close: async () => {},
  };
}

async function begin({ session, job, links }: Extract<ToThread, { kind: "begin" }>): Promise<void> {
  const call: Call = (message) => callHost(session, message);
  try {
    const work = await load();
    const channels = Object.fromEntries(links.map((link) => [link, remoteLink(session, link, call)]));
    const result = await work(job, channels as SessionChannels, async (question) => {
      const { answer } = await call({ kind: "ask", question });
      return answer;
    });
    say({ session, kind: "done", result });
  } catch (error) {
    say({ session, kind: "failed", failure: encodeFailure(error) });
  }
}

function settle(message: Exclude<ToThread, { kind: "begin" }>): void {
  const waiting = pending.get(message.call);
  pending.delete(message.call);
  if (message.kind === "reply") waiting?.resolve(message);
  else waiting?.reject(decodeFailure(message.failure));
}

parentPort!.on("message", (message: ToThread) => {
  if (message.kind === "begin") void begin(message);
  else settle(message);
});
