import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { resolveModelOptions } from "../../compiler/api/model-options.ts";
import { loadPartyBuild } from "../../compiler/build/party-build.ts";
import { writeBuild } from "../../compiler/build/write-build.ts";
import { compileModel } from "../../compiler/compile/compile.ts";
import { initKeys } from "../../compiler/keys/init-keys.ts";
import { readIdentity } from "../../compiler/keys/read-identity.ts";
import { checkInputs, readInputFiles } from "../../compiler/run/input-files.ts";
import { openLocal } from "../../compiler/run/local-session.ts";
import { type DealerOptions, startDealer } from "../../compiler/services/dealer-service.ts";
import { startHealth } from "../../compiler/services/health.ts";
import type { Metrics } from "../../compiler/services/metrics.ts";
import { sendProgram } from "../../compiler/services/program-frame.ts";
import { openRemoteSession, queryServer } from "../../compiler/services/remote-session.ts";
import { startServer } from "../../compiler/services/server-service.ts";
import { serverWork } from "../../compiler/services/server-work.ts";
import type { Endpoint, Service } from "../../compiler/services/service.ts";
import { connectionPurposes, handshakeFields, newSessionId } from "../../compiler/services/session-agreement.ts";
import type { SessionError } from "../../runtime/core/errors.ts";
import type { Role } from "../../runtime/core/steps.ts";
import { handshake } from "../../runtime/session/handshake.ts";
import { predict } from "../../runtime/session/predict.ts";
import type { Identity } from "../../runtime/transport/node/identity.ts";
import { connect } from "../../runtime/transport/node/tls.ts";
import { declaredError } from "../../scripts/tables/declared-error.ts";
import { largestDifference } from "./declared-error.ts";
import { type TinyFiles, writeTiny } from "./tiny-model.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-services-"));
const build = join(dir, "build");
const otherBuild = join(dir, "other");
const anywhere: Endpoint = { host: "127.0.0.1", port: 0 };
let files: TinyFiles;
let identities: Readonly<Record<Role, Identity>>;
let strangers: Readonly<Record<Role, Identity>>;

const makeIdentities = async (name: string): Promise<Readonly<Record<Role, Identity>>> => {
  const { folders } = await initKeys(join(dir, name));
  const read = async (role: Role) => [role, await readIdentity(folders[role])] as const;
  return Object.fromEntries(await Promise.all((["client", "server", "dealer"] as const).map(read))) as Record<
    Role,
    Identity
  >;
};

beforeAll(async () => {
  files = writeTiny(join(dir, "model"));
  const { model, base, calibration } = files;
  const options = { model, base, calibrate: calibration, reveal: { logits: "client" } } as const;
  writeBuild(build, compileModel(resolveModelOptions(options)).files);
  // Other ranges, so other rings: another program of the same model.
  writeBuild(otherBuild, compileModel(resolveModelOptions({ ...options, margin: 64 })).files);
  identities = await makeIdentities("keys");
  strangers = await makeIdentities("strangers");
});
afterAll(() => rmSync(dir, { recursive: true }));

const running: Service[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
});

interface Deployment {
  readonly server: Service;
  readonly dealer: Service;
  readonly log: string[];
}

async function deploy(more: Partial<DealerOptions> = {}): Promise<Deployment> {
  const log: string[] = [];
  const say = (line: string): void => void log.push(line);
  const dealer = await startDealer({ listen: anywhere, identity: identities.dealer, log: say, ...more });
  const server = await startServer({ dir: build, listen: anywhere, dealer, identity: identities.server, log: say });
  running.push(server, dealer);
  return { server, dealer, log };
}

async function ask(server: Endpoint, dealer: Endpoint, identity = identities.client, from = build) {
  const part = await loadPartyBuild(from, "client");
  const inputs = checkInputs(part.manifest, readInputFiles([`tokens=${files.input}`]));
  return queryServer({ part, inputs, identity, server, dealer, patienceSeconds: 0 });
}

const causeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "nothing went wrong",
    (error: SessionError) => error.reason,
  );

/** Logs are written when the services have heard of the end. */
async function logged(log: readonly string[], text: string | RegExp): Promise<void> {
  await expect.poll(() => log.join("\n"), { timeout: 10_000 }).toMatch(text);
}

test("three parties over TLS give the answer of three parties in one process", async () => {
  const { server, dealer, log } = await deploy();
  const { outputs, result } = await ask(server, dealer);
  const local = await openLocal({ dir: build, inProcess: true });
  const part = await loadPartyBuild(build, "client");
  const expected = await local.query(checkInputs(part.manifest, readInputFiles([`tokens=${files.input}`])));
  await local.end();
  const found = outputs.get("logits")!.tensor.data;
  // Either is within the declared error of the exact result.
  const declared = await declaredError(build, files.input);
  expect(largestDifference(expected.outputs.get("logits")!.tensor.data, found)).toBeLessThanOrEqual(2 * declared);
  expect(result.measured!.rounds).toBe(result.predicted!.rounds);
  expect(Object.keys(result.measured!.bytes).sort()).toEqual([
    "client→dealer",
    "client→server",
    "dealer→client",
    "server→client",
  ]);
  await logged(log, "answered 1 query");
  await logged(log, "dealt for 1 query of tiny");
});

test("sessions run in parallel and one after the other", async () => {
  const { server, dealer } = await deploy();
  const together = await Promise.all([ask(server, dealer), ask(server, dealer), ask(server, dealer)]);
  expect(together).toHaveLength(3);
  await ask(server, dealer);
});

test("a client with an unknown certificate is refused, and the next client is served", async () => {
  const { server, dealer, log } = await deploy();
  // It pins the true server and dealer; they do not pin it.
  const intruder = { ...strangers.client, peers: identities.client.peers };
  expect(await causeOf(ask(server, dealer, intruder))).toBe("ownCertificateRefused");
  // It pins others than it finds.
  expect(await causeOf(ask(server, dealer, strangers.client))).toBe("certificateRefused");
  await logged(log, "MRL0720");
  await ask(server, dealer);
});

test("parties of different compilations stop before any share", async () => {
  const { server, dealer, log } = await deploy();
  expect(await causeOf(ask(server, dealer, identities.client, otherBuild))).toBe("programMismatch");
  await logged(log, "MRL0711");
  await ask(server, dealer);
});

test("a client that refuses its own values ends a session as if it had no more questions", async () => {
  const { server, dealer, log } = await deploy();
  const part = await loadPartyBuild(build, "client");
  const inputs = checkInputs(part.manifest, readInputFiles([`tokens=${files.input}`]));
  const session = await openRemoteSession({ part, identity: identities.client, server, dealer });
  await session.query(inputs);
  const tokens = inputs.get("tokens")!;
  const foreign = { ...tokens, tensor: { ...tokens.tensor, data: tokens.tensor.data.map(() => 99) } };
  const refused = await session.query(new Map([["tokens", foreign]])).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Error);
  await session.abandon(refused);
  await logged(log, "answered 1 query");
  await logged(log, "dealt for 1 query of tiny");
  expect(log.join("\n")).not.toMatch(/MRL07/);
});

test("parties with other manifests stop before any share: what each was promised is the same", async () => {
  const { server, dealer, log } = await deploy();
  const changed = join(dir, "changed-client");
  cpSync(join(build, "client"), changed, { recursive: true });
  const path = join(changed, "manifest.json");
  writeFileSync(path, readFileSync(path, "utf8").replace('"security": "', '"security": "no longer '));
  expect(await causeOf(ask(server, dealer, identities.client, changed))).toBe("artefactMismatch");
  await logged(log, "MRL0716");
});

test("the dealer deals neither for a program that the parties do not hold nor for a text that is not a program", async () => {
  const { dealer } = await deploy();
  const { manifest, manifestHash, program, mir } = await loadPartyBuild(build, "server");
  const agreement = { program: program.hash, setting: manifest.setting, artefacts: manifestHash };
  const asServer = async (text: string): Promise<void> => {
    const session = newSessionId();
    const reach = (role: "client" | "server") =>
      connect({
        ...dealer,
        identity: identities[role],
        expect: "dealer",
        purpose: connectionPurposes.correlations,
        session,
      });
    const [client, server] = [await reach("client"), await reach("server")];
    await sendProgram(server, agreement, text);
    const agreed = [
      handshake(client, handshakeFields(agreement, "client", session)),
      handshake(server, handshakeFields(agreement, "server", session)),
    ];
    const [failed] = (await Promise.allSettled(agreed)).filter(({ status }) => status === "rejected");
    await Promise.all([client.close(), server.close()]);
    if (failed) throw (failed as PromiseRejectedResult).reason;
  };
  expect(await causeOf(asServer(mir))).toBe("nothing went wrong");
  expect(await causeOf(asServer(`${mir}\n`))).toBe("programMismatch");
  expect(await causeOf(asServer("module m stage schedule {}"))).toBe("peerAborted");
});

test("the dealer does not deal for a program that exceeds its limit", async () => {
  const { program } = await loadPartyBuild(build, "server");
  const costs = predict(program).offline.bytes["dealer→server"];
  const strict = await deploy({ maxDealtBytes: costs - 1 });
  expect(await causeOf(ask(strict.server, strict.dealer))).toBe("peerAborted");
  await logged(strict.log, `MRL0709 the server's program takes ${costs} bytes`);
  const exact = await deploy({ maxDealtBytes: costs });
  await ask(exact.server, exact.dealer);
});

test("after a client leaves in the middle of a session, the server serves the next client", async () => {
  const { server, dealer, log } = await deploy();
  const { manifest, manifestHash, program } = await loadPartyBuild(build, "client");
  const agreement = { program: program.hash, setting: manifest.setting, artefacts: manifestHash };
  const session = newSessionId();
  const identity = identities.client;
  const atServer = await connect({
    ...server,
    identity,
    expect: "server",
    purpose: connectionPurposes.online,
    session,
  });
  const atDealer = await connect({
    ...dealer,
    identity,
    expect: "dealer",
    purpose: connectionPurposes.correlations,
    session,
  });
  await handshake(atServer, handshakeFields(agreement, "client", session));
  await handshake(atDealer, handshakeFields(agreement, "client", session));
  await atDealer.receive({ exactBytes: 32 });
  await atServer.send(new Uint8Array(32));
  // The query is announced, its first round never comes.
  await atServer.send(new TextEncoder().encode('{"kind":"query","query":0}'), "control");
  await Promise.all([atServer.close(), atDealer.close()]);
  await logged(log, "MRL0701 the client left");
  await ask(server, dealer);
});

test("without a dealer the client reports it, and the server continues", async () => {
  const { server, dealer, log } = await deploy();
  const nowhere = { host: "127.0.0.1", port: 1 };
  const error = await ask(server, nowhere).catch((found: SessionError) => found);
  expect(error).toMatchObject({ reason: "unreachable", at: "127.0.0.1:1" });
  expect((error as SessionError).help).toContain("dealer");
  await logged(log, "MRL0706 the client stopped the session");
  await ask(server, dealer);
});

test("a party whose peer does not come is disconnected", async () => {
  const { dealer, log } = await deploy({ pairingMs: 100 });
  const alone = await connect({
    ...dealer,
    identity: identities.client,
    expect: "dealer",
    purpose: connectionPurposes.correlations,
    session: newSessionId(),
  });
  expect(await causeOf(alone.receive({ exactBytes: 32 }))).toBe("peerAborted");
  await logged(log, "the server did not come");
});

test("a server whose folder changes under it is not ready, and its threads load no other build (MRL0744)", async () => {
  const dir = join(files.model, "../running");
  cpSync(join(build, "server"), dir, { recursive: true });
  const { manifestHash } = await loadPartyBuild(build, "server");
  const { dealer } = await deploy();
  const server = await startServer({ dir, listen: anywhere, dealer, identity: identities.server, log: () => {} });
  running.push(server);
  const health = await startHealth(anywhere, server.status, { contentType: "", text: async () => "" } as Metrics);
  const ready = async () => (await fetch(`http://${health.host}:${health.port}/readyz`)).status;
  const load = (from: string) => serverWork({ kind: "server", dir: from, manifestHash });
  await load(dir);
  expect(await ready()).toBe(200);
  const other = join(otherBuild, "server");
  await expect(load(other)).rejects.toMatchObject({
    code: "MRL0744",
    message: expect.stringContaining("another build"),
  });
  cpSync(other, dir, { recursive: true });
  expect(await ready()).toBe(503);
  rmSync(dir, { recursive: true });
  expect(await ready()).toBe(503);
  await expect(load(dir)).rejects.toMatchObject({ code: "MRL0744" });
  await health.close();
});

test("a connection without a session id is refused", async () => {
  const { dealer, log } = await deploy();
  const channel = await connect({ ...dealer, identity: identities.client, expect: "dealer", purpose: "online" });
  expect(await causeOf(channel.receive({ exactBytes: 32 }))).toBe("peerAborted");
  await logged(log, "MRL0708");
});
