import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { initKeys } from "../../../compiler/keys/init-keys.ts";
import { readIdentity } from "../../../compiler/keys/read-identity.ts";
import { startHealth } from "../../../compiler/services/health.ts";
import { createMetrics } from "../../../compiler/services/metrics.ts";
import { type Service, type SessionHost, startService } from "../../../compiler/services/service.ts";
import { limitsOf } from "../../../compiler/services/service-limits.ts";
import { newSessionId } from "../../../compiler/services/session-agreement.ts";
import type { Role } from "../../../runtime/core/steps.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import type { Identity } from "../../../runtime/transport/node/identity.ts";
import { connect } from "../../../runtime/transport/node/tls.ts";

/** What every service does with its connections, whatever it computes. */
const dir = mkdtempSync(join(tmpdir(), "marillc-service-"));
let identities: Readonly<Record<Role, Identity>>;
beforeAll(async () => {
  const { folders } = await initKeys(dir);
  const all = (["client", "server", "dealer"] as const).map(async (role) => [role, await readIdentity(folders[role])]);
  identities = Object.fromEntries(await Promise.all(all)) as Record<Role, Identity>;
});
afterAll(() => rmSync(dir, { recursive: true }));

const open: { readonly close: () => Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function start(more: Partial<SessionHost> = {}) {
  const lines: string[] = [];
  const sessions: string[] = [];
  const service: Service = await startService(
    { listen: { host: "127.0.0.1", port: 0 }, identity: identities.server, log: (line) => void lines.push(line) },
    limitsOf(),
    {
      ...{ accepts: ["client"], purpose: "online", counts: () => ({ computing: 0, waiting: 0 }) },
      onSession: async ({ channel, session }) => {
        sessions.push(session);
        await channel.left;
      },
      ...more,
    },
  );
  open.push(service);
  const dial = async (purpose: string, session = newSessionId()): Promise<Channel> => {
    const { host, port } = service;
    const channel = await connect({ host, port, identity: identities.client, expect: "server", purpose, session });
    open.push(channel);
    return channel;
  };
  return { service, lines, sessions, dial };
}

/** How a connection ends that the service was given. */
const endOf = (channel: Channel): Promise<unknown> =>
  channel.receive({ exactBytes: 1, kind: "control" }).catch((error: unknown) => error);
const eventually = (work: () => unknown): Promise<void> =>
  expect.poll(work, { interval: 5, timeout: 10_000 }).toBeTruthy();

test("a greeting of another purpose, or without a session id, begins no session", async () => {
  const { dial, sessions, lines } = await start();
  for (const channel of [await dial("correlations"), await dial("online", "3f-9a")])
    expect(await endOf(channel)).toMatchObject({ peerCode: "MRL0708" });
  expect(sessions).toEqual([]);
  const id = newSessionId();
  await dial("online", id);
  await eventually(() => sessions.length > 0);
  expect(sessions).toEqual([id]);
  await eventually(() => lines.length >= 2);
});

test("eight peers measure their links at a time, and the next one may when one of them has left", async () => {
  const { dial } = await start();
  const probe = async (channel: Channel): Promise<unknown> => {
    await channel.send(Uint8Array.of(1), "control");
    return await endOf(channel);
  };
  const eight = await Promise.all(Array.from({ length: 8 }, () => dial("probe")));
  expect(await Promise.all(eight.map(probe))).toEqual(eight.map(() => Uint8Array.of(1)));
  expect(await probe(await dial("probe"))).toMatchObject({ peerCode: "MRL0740", retryAfterSeconds: 5 });
  await eight[0]!.close();
  await eventually(async () => (await probe(await dial("probe"))) instanceof Uint8Array);
});

test("a service without sessions stops at once, and one with a session waits for it and takes no other", async () => {
  const idle = await start();
  const started = performance.now();
  await idle.service.drain(60);
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(idle.lines).toEqual(["stopping: 0 sessions may end within 60 s", "stopped"]);

  const expected = newSessionId();
  const { service, dial, lines, sessions } = await start({ isExpected: (_, session) => session === expected });
  const running = await dial("online");
  await eventually(() => sessions.length === 1);
  const drained = service.drain(60);
  expect(await endOf(await dial("online"))).toMatchObject({ peerCode: "MRL0740", retryAfterSeconds: 10 });
  // The second connection of a session that has begun.
  const second = await dial("online", expected);
  await eventually(() => sessions.length === 2);
  expect(service.status()).toMatchObject({ isStopping: true });
  await Promise.all([running.close(), second.close()]);
  await drained;
  expect(lines.at(-1)).toBe("stopped");
});

test("one that does not stop in time is cut off, and the log says how many sessions were lost", async () => {
  const { service, dial, lines, sessions } = await start();
  const channel = await dial("online");
  await eventually(() => sessions.length === 1);
  await service.drain(0);
  expect(await endOf(channel)).toMatchObject({ name: "SessionError" });
  expect(lines.at(-1)).toBe("stopped: 1 session did not end in time");
});

test("with other pins, a connection of a certificate that is no longer pinned ends, and no other", async () => {
  const { service, dial } = await start({
    onSession: async ({ channel }) => {
      await channel.send(await channel.receive({ exactBytes: 1, kind: "control" }), "control");
      await channel.left;
    },
  });
  const channel = await dial("online");
  await service.replaceIdentity(identities.server);
  await channel.send(Uint8Array.of(7), "control");
  expect(await endOf(channel)).toEqual(Uint8Array.of(7));
  await service.replaceIdentity({ ...identities.server, peers: [] });
  expect(await endOf(channel)).toMatchObject({ name: "SessionError" });
});

test("the failure of a session is logged with its code and its id, ends its connection, and stops nothing", async () => {
  let calls = 0;
  const { dial, lines } = await start({
    onSession: async ({ channel }) => {
      if (++calls === 1) throw new Error("one of ours\nsecond line");
      await channel.left;
    },
  });
  const id = newSessionId();
  expect(await endOf(await dial("online", id))).toMatchObject({ name: "SessionError" });
  await eventually(() => lines.length === 1);
  expect(lines[0]).toBe("failed: MRL0700 one of ours — internal error, please report");
  await dial("online");
  await eventually(() => calls === 2);
});

test("a stranger is refused with its address, once in a line", async () => {
  const { dial, lines } = await start({ accepts: ["dealer"] });
  await dial("online").then(endOf, () => {});
  await eventually(() => lines.length > 0);
  expect(lines[0]).toMatch(/^refused: MRL07\d\d /);
  expect(lines[0]!.split("127.0.0.1")).toHaveLength(2);
});

test("a port that is taken is named with its option (MRL0726)", async () => {
  const taken = await start();
  const where = { host: taken.service.host, port: taken.service.port };
  const status = () => ({ computing: 0, waiting: 0, isStopping: false });
  const health = startHealth(where, status, await createMetrics("server"));
  await expect(health).rejects.toMatchObject({ code: "MRL0726", help: expect.stringContaining("port for --health,") });
  const listening = startService({ listen: where, identity: identities.server, log: () => {} }, limitsOf(), {
    accepts: ["client"],
    purpose: "online",
    counts: () => ({ computing: 0, waiting: 0 }),
    onSession: async () => {},
  });
  await expect(listening).rejects.toMatchObject({
    code: "MRL0726",
    help: expect.stringContaining("port for --listen,"),
  });
});

test("whoever connects to the health port and says little, or nothing, gives its place to others", async () => {
  const status = () => ({ computing: 0, waiting: 0, isStopping: false });
  const where = { host: "127.0.0.1", port: 0 };
  const health = await startHealth(where, status, await createMetrics("server"), 200);
  const slow = Array.from({ length: 64 }, () => createConnection(health.port, health.host));
  for (const socket of slow) socket.on("error", () => {});
  await Promise.all(slow.map((socket) => Promise.race(["connect", "close"].map((event) => once(socket, event)))));
  for (const [k, socket] of slow.entries()) if (k % 2 === 0) socket.write("GET");
  const answers = async () =>
    await fetch(`http://${health.host}:${health.port}/healthz`, { signal: AbortSignal.timeout(1_000) }).then(
      ({ status: code }) => code,
      () => 0,
    );
  await expect.poll(answers, { timeout: 5_000 }).toBe(200);
  for (const socket of slow) socket.destroy();
  await health.close();
});
