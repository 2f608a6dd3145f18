import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { resolveModelOptions } from "../../compiler/api/model-options.ts";
import { loadPartyBuild, type PartyBuild } from "../../compiler/build/party-build.ts";
import { writeBuild } from "../../compiler/build/write-build.ts";
import { compileModel } from "../../compiler/compile/compile.ts";
import { initKeys } from "../../compiler/keys/init-keys.ts";
import { readIdentity } from "../../compiler/keys/read-identity.ts";
import { openClientExecutor } from "../../compiler/run/client-executor.ts";
import { checkInputs, readInputFiles } from "../../compiler/run/input-files.ts";
import { type DealerOptions, startDealer } from "../../compiler/services/dealer-service.ts";
import { receiveProgram, sendProgram } from "../../compiler/services/program-frame.ts";
import { defaultProgramLimits, planPrograms } from "../../compiler/services/program-plan.ts";
import { queryServer } from "../../compiler/services/remote-session.ts";
import { type ServerOptions, startServer } from "../../compiler/services/server-service.ts";
import type { Endpoint, Service } from "../../compiler/services/service.ts";
import {
  agreementOf,
  connectionPurposes,
  handshakeFields,
  newSessionId,
} from "../../compiler/services/session-agreement.ts";
import type { SessionError } from "../../runtime/core/errors.ts";
import type { Role } from "../../runtime/core/steps.ts";
import { handshake } from "../../runtime/session/handshake.ts";
import { predict } from "../../runtime/session/predict.ts";
import type { Channel } from "../../runtime/transport/channel.ts";
import type { Identity } from "../../runtime/transport/node/identity.ts";
import { connect, listen } from "../../runtime/transport/node/tls.ts";
import { runSession } from "../harness/run-session.ts";
import { type TinyFiles, writeTiny } from "./tiny-model.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-limits-"));
const build = join(dir, "build");
const anywhere = { host: "127.0.0.1", port: 0 };
let files: TinyFiles;
let identities: Readonly<Record<Role, Identity>>;
let client: PartyBuild;

beforeAll(async () => {
  files = writeTiny(join(dir, "model"));
  const { model, base, calibration } = files;
  const options = { model, base, calibrate: calibration, reveal: { logits: "client" } } as const;
  writeBuild(build, compileModel(resolveModelOptions(options)).files);
  const { folders } = await initKeys(join(dir, "keys"));
  const read = async (role: Role) => [role, await readIdentity(folders[role])] as const;
  const all = await Promise.all((["client", "server", "dealer"] as const).map(read));
  identities = Object.fromEntries(all) as Record<Role, Identity>;
  client = await loadPartyBuild(build, "client");
});
afterAll(() => rmSync(dir, { recursive: true }));

const running: Service[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
});

async function deploy(more: { readonly serve?: Partial<ServerOptions>; readonly deal?: Partial<DealerOptions> } = {}) {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const dealer = await startDealer({ listen: anywhere, identity: identities.dealer, log, ...more.deal });
  running.push(dealer);
  const own = { listen: anywhere, identity: identities.server, log, ...more.serve };
  const server = await startServer({ dir: build, dealer, ...own });
  running.push(server);
  return { server, dealer, lines };
}
type Deployed = Awaited<ReturnType<typeof deploy>>;

const inputsOfTiny = () => checkInputs(client.manifest, readInputFiles([`tokens=${files.input}`]));
const ask = ({ server, dealer }: Deployed, patienceSeconds?: number, onBusy?: (line: string) => void) =>
  queryServer({
    ...{ part: client, inputs: inputsOfTiny(), identity: identities.client, server, dealer },
    ...(patienceSeconds !== undefined && { patienceSeconds }),
    ...(onBusy && { onBusy }),
  });
const errorOf = (work: Promise<unknown>): Promise<SessionError> =>
  work.then(
    () => expect.fail("nothing went wrong"),
    (error) => error,
  );
const atDealer = ({ dealer }: Deployed): Promise<Channel> =>
  connect({
    ...{ host: dealer.host, port: dealer.port, identity: identities.client, expect: "dealer" },
    ...{ purpose: connectionPurposes.correlations, session: newSessionId() },
  });

test("64 connections that close again take no session from anyone", async () => {
  const deployed = await deploy({ deal: { limits: { maxSessions: 1, maxWaiting: 3 } } });
  for (let k = 0; k < 64; k++) await (await atDealer(deployed)).close();
  await ask(deployed);
});

test("a client beyond the room is asked to come back, and does so until it is answered", async () => {
  const deployed = await deploy({ serve: { limits: { maxSessions: 1, maxWaiting: 0 } } });
  const told: string[] = [];
  await Promise.all(Array.from({ length: 3 }, () => ask(deployed, 60, (line) => told.push(line))));
  expect(told[0]).toMatch(/^MRL0740 the server has no room for this session now: the next attempt follows in \d/);
});

test("without patience the client reports that the service is busy", async () => {
  const deployed = await deploy({ serve: { limits: { maxSessions: 1, maxWaiting: 0 } } });
  const outcomes = await Promise.allSettled(Array.from({ length: 3 }, () => ask(deployed, 0)));
  const failed = outcomes.flatMap((each) => (each.status === "rejected" ? [each.reason as SessionError] : []));
  expect(failed.map(({ code, peerCode }) => [code, peerCode])).toEqual([
    ["MRL0740", "MRL0740"],
    ["MRL0740", "MRL0740"],
  ]);
  expect(failed[0]!.help).toMatch(/^ask again in about \d+ s; /);
});

test("a session beyond its limit of bytes ends, and the log says why", async () => {
  const limited = await deploy({ serve: { limits: { maxSessionBytes: 1000 } } });
  await errorOf(ask(limited));
  await expect
    .poll(() => limited.lines.join("\n"))
    .toContain("MRL0741 the session exceeds a limit of this service: 1000 bytes");
});

test("programs of too many operators, or of too much work, are refused before they are planned", async () => {
  const { mir, manifest } = await loadPartyBuild(build, "server");
  const plan = (text: string, limits: object) =>
    planPrograms(
      { setting: manifest.setting, programs: [new TextEncoder().encode(text)] },
      { ...defaultProgramLimits, ...limits },
    );
  await plan(mir, {});
  expect(await errorOf(plan(mir, { maxOperators: 3 }))).toMatchObject({ code: "MRL0709" });
  expect((await errorOf(plan(mir, { maxOperators: 3 }))).message).toContain("operators");
  const tall = mir.replaceAll("[1, 4, ", "[1, 100000000000, ");
  expect(tall).not.toBe(mir);
  expect((await errorOf(plan(tall, {}))).message).toContain("products and elements");
});

test("a query whose online phase outlasts the silence that parties allow is answered", async () => {
  const server = await loadPartyBuild(build, "server");
  const executor = await openClientExecutor(client, {});
  const { shared } = await executor.prepare(inputsOfTiny());
  await executor.release();
  const tensors = new Map([...client.tensors, ...server.tensors]);
  const silenceMs = 300;
  /** A round takes half of that silence; all rounds together take longer. */
  const slow = (channel: Channel): Channel => ({
    ...{ peer: channel.peer, left: channel.left, sent: channel.sent, received: channel.received },
    send: async (frame, kind) => {
      const isRound = channel.peer === "client" && kind !== "control";
      if (isRound) await new Promise((resolve) => setTimeout(resolve, silenceMs / 2));
      await channel.send(frame, kind);
    },
    receive: (expected) => channel.receive({ timeoutMs: silenceMs, ...expected }),
    close: (reason) => channel.close(reason),
  });
  const started = performance.now();
  const { results } = await runSession(client.program, tensors, [shared], slow);
  expect(performance.now() - started).toBeGreaterThan(2 * silenceMs);
  expect(results).toHaveLength(1);
});

test("long programs share the dealer's memory, and one that exceeds it is refused (MRL0709)", async () => {
  const { program } = await loadPartyBuild(build, "server");
  const memory = 6 * predict(program).offline.bytes["dealer→server"];
  const small = await deploy({ deal: { maxMemory: memory - 1 } });
  expect(await errorOf(ask(small))).toMatchObject({ peerCode: "MRL0709" });
  await expect.poll(() => small.lines.join("\n")).toContain("bytes of memory for a query");
  // Each of them is long here, and there is memory for one at a time.
  const enough = await deploy({ deal: { maxMemory: 1.5 * memory + 1e4, maxShortBytes: 0 } });
  await Promise.all([ask(enough), ask(enough)]);
});

const reachAs = (role: Role, { host, port }: Endpoint, expect: Role, session: string): Promise<Channel> =>
  connect({
    ...{ host, port, identity: identities[role], expect, session, mostWaitMs: 10_000 },
    purpose: expect === "dealer" ? connectionPurposes.correlations : connectionPurposes.online,
  });
const agreeAs = (role: Role, channel: Channel, session: string) =>
  handshake(channel, handshakeFields(agreementOf(client), role, session));

test("long sessions leave places at the dealer: beyond their own, a client is asked to come back", async () => {
  const limits = { maxSessions: 1, maxWaiting: 1 };
  const deployed = await deploy({ deal: { maxShortBytes: 0, limits } });
  const { dealer } = deployed;
  const { mir } = await loadPartyBuild(build, "server");
  const session = newSessionId();
  const [own, other] = [
    await reachAs("client", dealer, "dealer", session),
    await reachAs("server", dealer, "dealer", session),
  ];
  await sendProgram(other, agreementOf(client), mir);
  await Promise.all([agreeAs("client", own, session), agreeAs("server", other, session)]);
  expect(await errorOf(ask(deployed, 0))).toMatchObject({ code: "MRL0740", retryAfterSeconds: 10 });
  await Promise.all([own.close(), other.close()]);
  await ask(deployed, 60);
});

test("whom the dealer asks to wait, the server asks its client", async () => {
  const session = newSessionId();
  const asking: NodeJS.Timeout[] = [];
  const dealer = await listen({
    ...{ ...anywhere, identity: identities.dealer },
    onConnection: async (channel) => {
      await receiveProgram(channel, 2 ** 20);
      await agreeAs("dealer", channel, session);
      asking.push(setInterval(() => void channel.send(new Uint8Array(0), "wait").catch(() => {}), 20));
    },
  });
  const server = await startServer({
    dir: build,
    dealer,
    listen: anywhere,
    identity: identities.server,
    log: () => {},
  });
  running.push(server);
  const own = await reachAs("client", server, "server", session);
  await agreeAs("client", own, session);
  // The server waits for the dealer's seed.
  own.receive({ exactBytes: 0 }).catch(() => {});
  await expect.poll(() => own.waitedMs).toBeGreaterThan(100);
  await own.close();
  asking.forEach(clearInterval);
  await dealer.close();
});

test("clients wait for a server and a dealer that start again", async () => {
  const { server, dealer } = await deploy();
  const [atServer, atDealer] = [server, dealer].map(({ host, port }) => ({ host, port }));
  await Promise.all([server.close(), dealer.close()]);
  const lines: string[] = [];
  const away = { server: atServer, dealer: atDealer, lines } as unknown as Deployed;
  const answered = ask(away, 60, (line) => lines.push(line));
  await expect.poll(() => lines.length).toBeGreaterThan(0);
  const { host, port } = atServer!;
  expect(lines[0]).toBe(
    `MRL0723 cannot reach the server: nothing listens there (ECONNREFUSED), at ${host}:${port}: attempts go on for up to 60 s (--patience); Ctrl-C ends them`,
  );
  // The server first: then the dealer is the one that is not reached.
  const serve = { listen: atServer!, dealer: atDealer! };
  const again = await startServer({ dir: build, identity: identities.server, log: () => {}, ...serve });
  running.push(again);
  await expect.poll(() => lines.join("\n"), { timeout: 10_000 }).toContain("MRL0723 cannot reach the dealer");
  running.push(await startDealer({ listen: atDealer!, identity: identities.dealer, log: () => {} }));
  await answered;
});

test("clients that agree with the server and never come to the dealer keep no turn from others", async () => {
  const deployed = await deploy({ serve: { limits: { maxSessions: 1 } } });
  const { host, port } = deployed.server;
  const session = newSessionId();
  const absent = await connect({
    ...{ host, port, identity: identities.client, expect: "server" },
    ...{ purpose: connectionPurposes.online, session },
  });
  await handshake(absent, handshakeFields(agreementOf(client), "client", session));
  const started = performance.now();
  await ask(deployed);
  expect(performance.now() - started).toBeLessThan(10_000);
  await absent.close();
});

test("a client that waits at the dealer learns at once that the server has left", async () => {
  const { dealer, server } = await deploy();
  // A server that agrees, and is then gone before it reaches the dealer.
  const listener = await listen({
    ...{ ...anywhere, identity: identities.server, accepts: ["client"] },
    onConnection: async (channel, { session }) => {
      await handshake(channel, handshakeFields(agreementOf(client), "server", session));
      await channel.close();
    },
  });
  const started = performance.now();
  expect((await errorOf(ask({ server: listener as Service, dealer, lines: [] }))).reason).toBe("peerLeft");
  expect(performance.now() - started).toBeLessThan(10_000);
  await listener.close();
  await ask({ server, dealer, lines: [] });
});
