import { type MessagePort, Worker } from "node:worker_threads";
import type { Role } from "../../runtime/core/index.ts";
import { threadModule } from "../build/index.ts";
import { decodeFailure } from "./failure-message.ts";
import type { LocalParty } from "./local-party.ts";
import type { PartyAnswer, PartyCall, PartyTask } from "./party-worker.ts";

export interface PartyThread extends LocalParty {
  readonly terminate: () => Promise<void>;
}

interface PendingCall {
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/** Starts a party in a thread of its own. */
export function startPartyThread(task: PartyTask): PartyThread {
  const ports = Object.values(task.links) as MessagePort[];
  const worker = new Worker(threadModule("compiler/run/party-worker"), { workerData: task, transferList: ports });
  const waiting = new Map<number, PendingCall>();
  let calls = 0;
  let dead: unknown;
  const die = (error: unknown): void => {
    dead ??= error;
    for (const { reject } of waiting.values()) reject(dead);
    waiting.clear();
  };
  worker.on("message", (answer: PartyAnswer) => {
    const call = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ("failure" in answer) call?.reject(decodeFailure(answer.failure));
    else call?.resolve(answer.result as never);
  });
  worker.on("error", die);
  worker.on("exit", (code) => die(new Error(`the thread of the ${task.role as Role} exited with code ${code}`)));
  const call =
    (method: keyof LocalParty) =>
    (argument?: unknown): Promise<never> =>
      new Promise((resolve, reject) => {
        if (dead) return reject(dead);
        waiting.set(calls, { resolve, reject });
        worker.postMessage({ id: calls++, method, argument } satisfies PartyCall);
      });
  return {
    open: call("open"),
    prepare: call("prepare"),
    query: call("query"),
    end: call("end"),
    abandon: call("abandon"),
    terminate: async () => {
      await worker.terminate();
    },
  };
}
