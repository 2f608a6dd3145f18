import { Worker } from "node:worker_threads";
import { type Role, SessionError, sessionError } from "../../runtime/core/index.ts";
import { threadModule } from "../build/index.ts";
import { decodeFailure, encodeFailure } from "../run/index.ts";
import type { Ask, FromThread, SessionChannels, SessionWork, ToThread, WorkSource } from "./session-work.ts";

/** What the thread that answers peers does for a session of a worker. */
export interface SessionHost {
  readonly channels: SessionChannels;
  readonly ask: Ask;
  readonly onCompute: (ms: number) => void;
}

/** Computes sessions, away from the thread that answers peers. */
export interface SessionPool {
  readonly run: <T>(job: unknown, host: SessionHost) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** Computes where it is called: for tests and debuggers. */
export const inlinePool = (work: SessionWork): SessionPool => ({
  run: async <T>(job: unknown, { channels, ask }: SessionHost) => (await work(job, channels, ask)) as T,
  close: async () => {},
});

interface HostedSession extends SessionHost {
  readonly id: number;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
  /** Bytes of each link that are queued and have not left. */
  readonly queued: Map<Role, { bytes: number; changed: (() => void)[] }>;
}

/**
 * One thread, and the sessions that it computes. A session computes only after it was given something: its job, a frame,
 * an answer. So whoever decides what is given next decides who computes, and that is always the session that came first
 * of those that have something. A session that waits for its peers costs the others nothing.
 */
interface WorkerSlot {
  readonly worker: Thread;
  readonly sessions: Map<number, HostedSession>;
  readonly ready: Map<number, ToThread>;
  running: { readonly id: number; readonly sinceMs: number } | undefined;
}

/** What a pool needs of a `Worker`. */
export type Thread = Pick<Worker, "on" | "postMessage" | "terminate">;

const startWorker = (source: WorkSource): Thread =>
  new Worker(threadModule("compiler/services/session-thread"), { workerData: source });

/** A worker that computes for this long without a pause is ended, with its sessions. */
const stuckMs = 600_000;
/** One step of most programs is shorter. */
const longStepMs = 500;
const sendWindowBytes = 2 ** 24;

/** Threads of one kind, started as they are needed. */
export function createSessionPool(source: WorkSource, most: number, startThread = startWorker): SessionPool {
  const slots = new Set<WorkerSlot>();
  let sessions = 0;
  let isClosing = false;
  const start = (): WorkerSlot => {
    const worker = startThread(source);
    const slot: WorkerSlot = { worker, sessions: new Map(), ready: new Map(), running: undefined };
    const die = (found: Error): void => {
      // A thread that the service itself ends is no fault.
      const error = isClosing ? sessionError("closed", { peer: "service" }) : found;
      slots.delete(slot);
      clearInterval(watchdog);
      for (const { reject } of slot.sessions.values()) reject(error);
      slot.sessions.clear();
    };
    const watchdog = setInterval(() => {
      if (slot.running && performance.now() - slot.running.sinceMs > stuckMs) void worker.terminate();
    }, stuckMs / 10);
    watchdog.unref();
    worker.on("error", (error) => die(error));
    worker.on("exit", (code) => die(new Error(`a thread of the service ended with code ${code}`)));
    worker.on("message", (message: FromThread) => receive(slot, message));
    slots.add(slot);
    return slot;
  };
  const load = ({ sessions: { size }, running }: WorkerSlot): number =>
    size + (running && performance.now() - running.sinceMs > longStepMs ? most * 1e6 : 0);
  const leastBusy = (): WorkerSlot => {
    const [best] = [...slots].sort((a, b) => load(a) - load(b));
    return best && (best.sessions.size === 0 || slots.size >= most) ? best : start();
  };
  return {
    run: (job, host) =>
      new Promise((resolve, reject) => {
        const slot = leastBusy();
        const id = sessions++;
        slot.sessions.set(id, { ...host, id, resolve: resolve as (result: never) => void, reject, queued: new Map() });
        give(slot, { session: id, kind: "begin", job, links: Object.keys(host.channels) as Role[] });
      }),
    close: async () => {
      isClosing = true;
      await Promise.all([...slots].map(({ worker }) => worker.terminate()));
    },
  };
}

/** Gives a session something to compute with, when it is its turn. */
function give(slot: WorkerSlot, message: ToThread): void {
  slot.ready.set(message.session, message);
  giveNext(slot);
}

function giveNext(slot: WorkerSlot): void {
  if (slot.running || slot.ready.size === 0) return;
  const id = Math.min(...slot.ready.keys());
  const message = slot.ready.get(id)!;
  slot.ready.delete(id);
  slot.running = { id, sinceMs: performance.now() };
  slot.worker.postMessage(message, "frame" in message && message.frame ? [message.frame] : []);
}

/** Work in the name of a session of a worker. */
const works: {
  readonly [K in FromThread["kind"]]: (
    session: HostedSession,
    message: Extract<FromThread, { kind: K }>,
  ) => Promise<object> | undefined;
} = {
  send: (session, { link, frame, frameKind }) => void send(session, link, new Uint8Array(frame), frameKind),
  room: async (session, { link }) => {
    const queued = session.queued.get(link);
    while (queued && queued.bytes >= sendWindowBytes) await new Promise<void>((next) => queued.changed.push(next));
    return {};
  },
  receive: async ({ channels }, { link, expected }) => {
    const frame = await channels[link]!.receive(expected);
    const { waitedMs } = channels[link]!;
    return { frame: frame.buffer.byteLength === frame.length ? frame.buffer : frame.slice().buffer, waitedMs };
  },
  ask: async ({ ask }, { question }) => ({ answer: await ask(question) }),
  done: ({ resolve }, { result }) => void resolve(result as never),
  failed: ({ reject }, { failure }) => void reject(decodeFailure(failure)),
};

/** Whoever sends does not wait, except for room; a failure is met by the next call on that channel. */
async function send(
  { channels, queued }: HostedSession,
  link: Role,
  frame: Uint8Array,
  kind: "payload" | "control" | "wait",
): Promise<void> {
  const own = queued.get(link) ?? { bytes: 0, changed: [] };
  queued.set(link, own);
  own.bytes += frame.length;
  await channels[link]!.send(frame, kind).catch(() => {});
  own.bytes -= frame.length;
  for (const changed of own.changed.splice(0)) changed();
}

async function receive(slot: WorkerSlot, message: FromThread): Promise<void> {
  const session = slot.sessions.get(message.session);
  if (!session) return;
  const { id } = session;
  // A message that waits for an answer, or the last one, ends what the session computes now.
  if (message.kind !== "send" && slot.running?.id === id) {
    session.onCompute(performance.now() - slot.running.sinceMs);
    slot.running = undefined;
    giveNext(slot);
  }
  if (message.kind === "done" || message.kind === "failed") slot.sessions.delete(id);
  const work = works[message.kind](session, message as never);
  if (!work || !("call" in message)) return;
  const { call } = message;
  const reply = await work.then(
    (result): ToThread => ({ session: id, kind: "reply", call, ...result }),
    (error: unknown): ToThread => ({ session: id, kind: "refusal", call, failure: encodeFailure(error) }),
  );
  if (slot.sessions.has(id)) give(slot, reply);
}

/** The reason for a peer: a failure of ours says nothing. */
export const reasonOf = (error: unknown): SessionError | undefined => {
  if (!(error instanceof SessionError)) return undefined;
  // A busy dealer is a busy server to the client: it asks again.
  if (error.peerCode === undefined || error.retryAfterSeconds === undefined) return error;
  const seconds = error.retryAfterSeconds;
  return sessionError("busy", { peer: "dealer", reason: "it said so", seconds }, { retryAfterSeconds: seconds });
};
