import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { Role } from "../../runtime/core/index.ts";
import { type LinkProfile, shaped } from "../../runtime/transport/index.ts";
import { workerChannel } from "../../runtime/transport/node/index.ts";
import { encodeFailure, type FailureMessage } from "./failure-message.ts";
import { createLocalParty, type LocalParty, type PartyRunOptions } from "./local-party.ts";

/** Data that a party's thread starts with. */
export interface PartyTask extends PartyRunOptions {
  readonly dir: string;
  readonly role: Role;
  readonly links: Readonly<Partial<Record<Role, MessagePort>>>;
  readonly link?: LinkProfile;
}

export interface PartyCall {
  readonly id: number;
  readonly method: keyof LocalParty;
  readonly argument?: unknown;
}

export type PartyAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: FailureMessage };

async function answer(party: Promise<LocalParty>, { id, method, argument }: PartyCall): Promise<PartyAnswer> {
  try {
    return { id, result: await (await party)[method](argument as never) };
  } catch (error) {
    return { id, failure: encodeFailure(error) };
  }
}

const { dir, role, links, link, ...options } = workerData as PartyTask;
const channels = Object.entries(links).map(([peer, port]) => {
  const channel = workerChannel(port, peer as Role);
  return [peer, link ? shaped(channel, link) : channel] as const;
});
const party = createLocalParty(dir, role, Object.fromEntries(channels), options);
// The first call reports why a party could not be created.
party.catch(() => {});
parentPort!.on("message", async (call: PartyCall) => parentPort!.postMessage(await answer(party, call)));
