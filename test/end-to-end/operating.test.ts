import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { compile } from "../../compiler/api/compile.ts";
import { acceptInvite, createOwnKey, inviteParty, revokeParty, trustParty } from "../../compiler/api/keys.ts";
import type { Service, ServiceOptions } from "../../compiler/api/running-service.ts";
import { deal, query, serve } from "../../compiler/api/services.ts";
import { loadPartyBuild } from "../../compiler/build/party-build.ts";
import type { CommandIo } from "../../compiler/cli/command.ts";
import { runCommandLine } from "../../compiler/cli/command-line.ts";
import { readIdentity } from "../../compiler/keys/read-identity.ts";
import { checkInputs, readInputFiles } from "../../compiler/run/input-files.ts";
import { examineParty } from "../../compiler/services/doctor-checks.ts";
import { openRemoteSession, type RemoteSession } from "../../compiler/services/remote-session.ts";
import type { LogFields } from "../../compiler/services/service-log.ts";
import type { SessionError } from "../../runtime/core/errors.ts";
import { marillc } from "../cli/run-cli.ts";
import { type TinyFiles, writeTiny } from "./tiny-model.ts";

/** A service as its operator sees it: its log, its health, its end, and who may still come. */
const dir = mkdtempSync(join(tmpdir(), "marillc-operating-"));
const at = (...names: readonly string[]): string => join(dir, ...names);
const build = at("build");
const listen = "127.0.0.1:0";
let files: TinyFiles;

beforeAll(async () => {
  files = writeTiny(at("model"));
  const { model, base, calibration: calibrate } = files;
  await compile({ model, base, calibrate, reveal: { logits: "client" }, output: build, verify: false });
  const { invites } = await createOwnKey({ folder: at("keys"), role: "server" });
  const dealer = await acceptInvite({ invite: invites.dealer!, folder: at("keys/dealer") });
  await trustParty({ identity: at("keys/server"), party: "dealer", certificate: dealer.certificate });
  for (const name of ["alice", "bob", "carol"]) {
    const [party, invite] = [`client.${name}`, at(`${name}.json`)];
    await inviteParty({ identity: at("keys/server"), party, invite });
    const { certificate } = await acceptInvite({
      invite,
      folder: at("keys", name),
      ...(name === "carol" && { days: 9 }),
    });
    for (const role of ["server", "dealer"]) await trustParty({ identity: at("keys", role), party, certificate });
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

const running: Service[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
});

interface Line {
  readonly line: string;
  readonly about: LogFields | undefined;
}

async function deploy(more: Partial<ServiceOptions> = {}) {
  const lines: Line[] = [];
  const onLog = (line: string, about?: LogFields): void => void lines.push({ line, about });
  const dealer = await deal({ listen, identity: at("keys/dealer"), onLog });
  running.push(dealer);
  const server = await serve({ build, dealer, listen, identity: at("keys/server"), onLog, ...more });
  running.push(server);
  return { dealer, server, lines };
}
type Deployed = Awaited<ReturnType<typeof deploy>>;

const ask = ({ server, dealer }: Deployed, who: string) =>
  query({ build, server, dealer, identity: at("keys", who), inputFiles: [`tokens=${files.input}`], patience: 0 });

/** A session that stays open after its first query, as that of `generate`. */
async function stay({ server, dealer }: Deployed, who: string) {
  const part = await loadPartyBuild(build, "client");
  const identity = await readIdentity(at("keys", who));
  const session: RemoteSession = await openRemoteSession({ part, identity, server, dealer });
  const again = () => session.query(checkInputs(part.manifest, readInputFiles([`tokens=${files.input}`])));
  await again();
  return { again, end: session.end, abandon: session.abandon };
}

const failure = (work: Promise<unknown>): Promise<SessionError | undefined> =>
  work.then(
    () => undefined,
    (error: SessionError) => error,
  );
const eventually = (work: () => unknown): Promise<void> => expect.poll(work, { timeout: 10_000 }).toBeTruthy();

test("a service that stops lets its sessions end, and refuses others with the time to come back", async () => {
  const parties = await deploy({ health: listen });
  const { server, lines } = parties;
  const get = (path: string) => fetch(`http://${server.health!.host}:${server.health!.port}${path}`);
  const alice = await stay(parties, "alice");
  expect((await get("/readyz")).status).toBe(200);
  const ended = server.drain(60);
  const refused = await failure(ask(parties, "bob"));
  expect(refused).toMatchObject({ peerCode: "MRL0740", retryAfterSeconds: 10 });
  expect([(await get("/readyz")).status, (await get("/healthz")).status]).toEqual([503, 200]);
  await alice.again();
  await alice.end();
  await ended;
  await server.closed;
  expect(lines.filter(({ about }) => about?.event === "answered")).toMatchObject([
    {
      about: {
        peer: "client.alice",
        address: "127.0.0.1",
        queries: 2,
        session: expect.stringMatching(/^[0-9a-f]{8}$/),
      },
    },
  ]);
  expect(lines.at(-1)!.line).toBe("stopped");
});

test("a dealer that stops deals for the sessions that have begun", async () => {
  const parties = await deploy();
  const alice = await stay(parties, "alice");
  const ended = parties.dealer.drain(60);
  expect(await failure(ask(parties, "bob"))).toMatchObject({ peerCode: "MRL0740" });
  await alice.again();
  await alice.end();
  await ended;
});

test("the time to end is bounded", async () => {
  const parties = await deploy();
  const alice = await stay(parties, "alice");
  await parties.server.drain(0);
  expect(await failure(alice.again())).toBeDefined();
  await alice.abandon();
  expect(parties.lines.map(({ line }) => line)).toContain("stopped: 1 session did not end in time");
});

test("a party that is revoked is gone after a reload, its open sessions too, and the others stay", async () => {
  const parties = await deploy();
  const [alice, bob] = [await stay(parties, "alice"), await stay(parties, "bob")];
  await revokeParty({ identity: at("keys/server"), party: "client.bob" });
  await bob.again();
  await parties.server.reload();
  expect(await failure(bob.again())).toBeDefined();
  await bob.abandon();
  expect(await failure(ask(parties, "bob"))).toMatchObject({ reason: "ownCertificateRefused" });
  await alice.again();
  await alice.end();
  // The refusal says where it came from, and nobody's key is in the log.
  await eventually(() => parties.lines.some(({ about }) => about?.code === "MRL0720"));
  const refusal = parties.lines.find(({ about }) => about?.code === "MRL0720")!;
  expect(refusal.about).toMatchObject({ event: "refused", level: "warn" });
  expect(refusal.about!.address).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(refusal.line).toContain(refusal.about!.address);
  const key = readFileSync(at("keys/server/key.pem"), "utf8").split("\n")[1]!;
  expect(JSON.stringify(parties.lines)).not.toContain(key);
  // A folder that cannot be used changes nothing.
  rmSync(at("keys/server/peers"), { recursive: true });
  await expect(parties.server.reload()).rejects.toThrow("MRL0731");
  await ask(parties, "alice");
});

test("SIGHUP makes the command read the folder again, and ends nothing", async () => {
  const [out, err, taken]: string[][] = [[], [], []];
  let hangUp = (): void => {};
  let interrupt = (): void => {};
  const interrupted = new Promise<void>((resolve) => {
    interrupt = resolve;
  });
  const io: CommandIo = {
    ...{ out: (text) => void out!.push(text), err: (text) => void err!.push(text), isTerminal: false },
    ...{ environment: {}, interrupted, beforeSignal: () => () => {} },
    onHangup: (work) => {
      hangUp = work;
      return () => void taken!.push("back");
    },
  };
  const ended = runCommandLine(["deal", "--listen", listen, "--identity", at("keys/dealer")], io);
  await eventually(() => out!.join("").includes("listening"));
  hangUp();
  await eventually(() => /info {2}reloaded/.test(err!.join("")));
  interrupt();
  expect([await ended, taken]).toEqual([0, ["back"]]);
});

test("metrics count what the log says", async () => {
  for (const [party, folder] of [
    ["dealer", "dealer"],
    ["client.alice", "alice"],
  ] as const)
    await trustParty({ identity: at("keys/server"), party, certificate: at("keys", folder, "cert.pem") });
  const parties = await deploy({ health: listen });
  const { server } = parties;
  await ask(parties, "alice");
  await failure(ask(parties, "bob"));
  const base = `http://${server.health!.host}:${server.health!.port}`;
  await eventually(async () =>
    (await (await fetch(`${base}/metrics`)).text()).includes('marillc_refused_total{code="MRL0720"} 1'),
  );
  const response = await fetch(`${base}/metrics`);
  expect(response.headers.get("content-type")).toContain("version=0.0.4");
  const text = await response.text();
  expect(text).toContain('marillc_sessions_total{result="answered",code=""} 1');
  expect(text).toContain("marillc_queries_total 1");
  expect(text).toContain("marillc_sessions_computing 0");
  expect(text).toMatch(/marillc_certificate_expires_seconds 1\.\d+e\+?9|marillc_certificate_expires_seconds \d{10}/);
  expect((await fetch(`${base}/other`)).status).toBe(404);
  expect((await fetch(`${base}/healthz`, { method: "POST" })).status).toBe(405);
  expect((await fetch(`${base}/healthz`, { method: "HEAD" })).status).toBe(200);
});

test("doctor leaves no line in another party's log, with an identity and without", async () => {
  const parties = await deploy();
  const { server, lines } = parties;
  const found = [
    ...(await examineParty("server", server, await readIdentity(at("keys/alice")))),
    ...(await examineParty("server", server)),
  ];
  expect(found.map(({ fine }) => fine)).toEqual([true, true, true, true]);
  await ask(parties, "alice");
  await eventually(() => lines.some(({ about }) => about?.event === "dealt"));
  expect(
    lines
      .filter(({ about }) => about?.level !== "debug")
      .map(({ about }) => about!.event)
      .sort(),
  ).toEqual(["answered", "dealt"]);
});

test("doctor warns of what will not work for long, and fails only what does not work", async () => {
  const { server } = await deploy();
  const [well, lost] = [`127.0.0.1:${server.port}`, "127.0.0.1:1"];
  const soon = await marillc("doctor", "--identity", at("keys/carol"));
  expect([soon.code, soon.out]).toEqual([0, expect.stringMatching(/warning.*MRL0742/)]);
  expect((await marillc("doctor", "--server", well)).code).toBe(0);
  expect((await marillc("doctor", "--server", lost, "--identity", at("keys/alice"))).code).toBe(3);
});
