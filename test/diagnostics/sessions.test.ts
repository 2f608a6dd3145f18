import { describe, expect, test } from "vitest";
import { SessionError } from "../../runtime/core/errors.ts";
import { createCorrelationStore } from "../../runtime/correlations/correlation-store.ts";
import { zeros } from "../../runtime/ring/tensor.ts";
import { programAt } from "../../runtime/session/requests.ts";
import { createSessionState } from "../../runtime/session/session-state.ts";
import { memoryPair } from "../../runtime/transport/memory-channel.ts";
import { connect, listen } from "../../runtime/transport/node/tls.ts";
import { host, known, open, serve } from "../runtime/transport/tls-server.ts";

interface Failing {
  readonly code: string;
  readonly what: string;
  readonly fails: () => unknown;
  /** What follows the help line. */
  readonly next: () => unknown;
}

const pair = (idleTimeoutMs = 2000) => memoryPair("client", "server", { idleTimeoutMs });
const storeOf = (...shapes: readonly number[][]) => {
  const store = createCorrelationStore();
  for (const shape of shapes) store.put("matmul", zeros(shape, 8));
  return store;
};
const failing: readonly Failing[] = [
  {
    code: "MRL0704",
    what: "a control frame where a tensor is due",
    fails: async () => {
      const [client, server] = pair();
      await client.send(new Uint8Array(5), "control");
      await server.receive({ exactBytes: 5 });
    },
    next: async () => {
      const [client, server] = pair();
      await client.send(new Uint8Array(5));
      await server.receive({ exactBytes: 5 });
    },
  },
  {
    code: "MRL0705",
    what: "a party that says nothing",
    fails: () => pair(30)[0].receive({ exactBytes: 1 }),
    next: async () => {
      const [client, server] = pair();
      const received = client.receive({ exactBytes: 1 });
      await server.send(new Uint8Array(1));
      await received;
    },
  },
  {
    code: "MRL0707",
    what: "a channel after its end",
    fails: async () => {
      const [client] = pair();
      await client.close();
      await client.send(new Uint8Array(1));
    },
    next: () => pair()[0].send(new Uint8Array(1)),
  },
  {
    code: "MRL0718",
    what: "a correlation that is used up",
    fails: () => {
      const store = storeOf([2]);
      store.takeNext("matmul");
      store.takeNext("matmul");
    },
    next: () => storeOf([2]).takeNext("matmul"),
  },
  {
    code: "MRL0719",
    what: "a correlation of another shape",
    fails: () => storeOf([2]).take("matmul", [3], 8),
    next: () => storeOf([3]).take("matmul", [3], 8),
  },
  {
    code: "MRL0724",
    what: "a listener that is not marillc",
    fails: async () => {
      const { createServer } = await import("node:net");
      const server = createServer((socket) => socket.on("error", () => {}).write("HTTP/1.1 400 Bad Request\r\n\r\n"));
      await new Promise<void>((resolve) => server.listen(0, host, resolve));
      const { port } = server.address() as { port: number };
      try {
        await connect({ host, port, identity: known.client, expect: "server", handshakeTimeoutMs: 500 });
      } finally {
        server.close();
      }
    },
    next: async () => {
      const { listener } = await serve(known.server);
      open.push(await connect({ host, port: listener.port, identity: known.client, expect: "server" }));
    },
  },
  {
    code: "MRL0726",
    what: "a port that is taken",
    fails: async () => {
      const { listener } = await serve(known.server);
      await listen({ host, port: listener.port, identity: known.server, onConnection: () => {} });
    },
    next: () => serve(known.server),
  },
  {
    code: "MRL0727",
    what: "a program that the session does not have",
    fails: () => programAt([], { program: 1, position: 3 }, 2, "client"),
    next: () => {
      const whole = { inputs: {}, outputs: {}, weights: {} } as unknown as Parameters<typeof programAt>[0][number];
      programAt([whole], { program: 0, position: 0 }, 0, "client");
    },
  },
  {
    code: "MRL0728",
    what: "a query after one that failed",
    fails: async () => {
      const state = createSessionState();
      await state.orEndSession(async () => Promise.reject(new Error("lost"))).catch(() => {});
      state.alive();
    },
    next: () => createSessionState().alive(),
  },
];

describe.each(failing.map((each) => [`${each.code}: ${each.what}`, each] as const))("%s", (_, {
  code,
  fails,
  next,
}) => {
  test("has a help line, and what it says works", async () => {
    const error = await Promise.resolve()
      .then(fails)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SessionError);
    const { code: found, help, message } = error as SessionError;
    expect(found).toBe(code);
    // A fact that its cause lacks would be a question mark.
    expect(message).not.toMatch(/[{}?]/);
    expect(help).not.toMatch(/[{}?]/);
    expect(help!.length).toBeGreaterThan(10);
    await next();
  });
});
