import { afterEach, beforeAll, expect } from "vitest";
import type { SessionError } from "../../../runtime/core/errors.ts";
import type { Role } from "../../../runtime/core/steps.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import type { Hello } from "../../../runtime/transport/node/greeting.ts";
import type { Identity } from "../../../runtime/transport/node/identity.ts";
import { connect, type Listener, listen } from "../../../runtime/transport/node/tls.ts";
import { identities } from "./identities.ts";

export const host = "127.0.0.1";
export let known: Record<Role, Identity>;
export let strangers: Record<Role, Identity>;
export const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  [known, strangers] = await Promise.all([identities(), identities()]);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

export interface Serving {
  readonly listener: Listener;
  /** The next connection, or the reason why there was none. */
  next(): Promise<{ channel: Channel; hello: Hello } | SessionError>;
}

export async function serve(
  identity: Identity,
  options: { accepts?: Role[]; idleTimeoutMs?: number } = {},
): Promise<Serving> {
  const events: ({ channel: Channel; hello: Hello } | SessionError)[] = [];
  const waiting: ((event: { channel: Channel; hello: Hello } | SessionError) => void)[] = [];
  const happen = (event: { channel: Channel; hello: Hello } | SessionError): void => {
    const wake = waiting.shift();
    if (wake) wake(event);
    else events.push(event);
  };
  const listener = await listen({
    host,
    port: 0,
    identity,
    handshakeTimeoutMs: 400,
    ...options,
    onConnection: (channel, hello) => {
      open.push(channel);
      happen({ channel, hello });
    },
    onRefused: happen,
  });
  open.push(listener);
  return { listener, next: async () => events.shift() ?? new Promise((resolve) => waiting.push(resolve)) };
}

export async function dial(serving: Serving, identity: Identity, expect: Role = "server"): Promise<Channel> {
  const { port } = serving.listener;
  const channel = await connect({ host, port, identity, expect, handshakeTimeoutMs: 2000, session: "s-1" });
  open.push(channel);
  return channel;
}

export async function accepted(serving: Serving): Promise<{ channel: Channel; hello: Hello }> {
  const event = await serving.next();
  if (event instanceof Error) throw event;
  return event;
}

/** The listener still serves an honest client. */
export async function stillServes(serving: Serving): Promise<void> {
  const client = await dial(serving, known.client);
  const { channel } = await accepted(serving);
  await client.send(Uint8Array.of(42));
  expect(await channel.receive({ exactBytes: 1 })).toEqual(Uint8Array.of(42));
}

export const errorOf = (promise: Promise<unknown>): Promise<SessionError> =>
  promise.then(
    () => expect.fail("no error"),
    (e) => e,
  );
