import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { acceptInvite } from "../../../compiler/keys/invite.ts";
import { readCertificate } from "../../../compiler/keys/key-files.ts";
import { initOwnKey, listParties, makeInvite, renewKeys, revokePeer, trustPeer } from "../../../compiler/keys/peers.ts";
import { readIdentity } from "../../../compiler/keys/read-identity.ts";
import { makeKeyPair } from "../../../compiler/keys/x509.ts";
import { schemas } from "../../../compiler/report/text/schemas.ts";
import type { Diagnostic, DiagnosticError } from "../../../ir/diagnostic.ts";
import { fingerprintOf, peerText } from "../../../runtime/transport/node/identity.ts";
import { violations } from "../../cli/json-schema.ts";
import { marillc } from "../../cli/run-cli.ts";

/** Each party has a folder, and what passes between them are invites and certificates. */
const dir = mkdtempSync(join(tmpdir(), "marillc-peers-"));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (...names: readonly string[]): string => join(dir, ...names);
const [server, dealer, alice, bob] = [at("keys/server"), at("dealer"), at("alice"), at("bob")];

const refusal = (promise: Promise<unknown>): Promise<readonly Diagnostic[]> =>
  promise.then(
    () => [],
    (error: DiagnosticError) => error.diagnostics,
  );
const peersOf = async (folder: string): Promise<readonly string[]> =>
  (await readIdentity(folder)).peers.map(peerText).sort();

beforeAll(async () => {
  const { invites } = await initOwnKey(at("keys"), "server");
  await acceptInvite(invites.dealer!, dealer);
  await trustPeer(server, "dealer", join(dealer, "cert.pem"));
  for (const [name, folder] of [
    ["alice", alice],
    ["bob", bob],
  ] as const) {
    await makeInvite(server, `client.${name}`, at(`${name}.invite.json`));
    await acceptInvite(at(`${name}.invite.json`), folder);
    for (const party of [server, dealer]) await trustPeer(party, `client.${name}`, join(folder, "cert.pem"));
  }
});

test("every private key is made in its own folder, and all know whom they need", async () => {
  expect(await peersOf(server)).toEqual(["client.alice", "client.bob", "dealer"]);
  expect(await peersOf(dealer)).toEqual(["client.alice", "client.bob", "server"]);
  expect([await peersOf(alice), await peersOf(bob)]).toEqual([
    ["dealer", "server"],
    ["dealer", "server"],
  ]);
  const passed = readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));
  for (const name of passed) expect(readFileSync(at(name), "utf8")).not.toContain("PRIVATE");
  const keys = readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith("key.pem"));
  expect(keys.sort()).toEqual(["alice/key.pem", "bob/key.pem", "dealer/key.pem", "keys/server/key.pem"]);
});

test("a client that is revoked is gone, and the others stay", async () => {
  await makeInvite(server, "client.carol", at("carol.invite.json"));
  const carol = await acceptInvite(at("carol.invite.json"), at("carol"));
  await trustPeer(server, "client.carol", carol.certificateFile);
  await trustPeer(server, "client.carol", carol.certificateFile);
  expect((await listParties(server)).peers.map(({ party }) => party)).toContain("client.carol");
  const { fingerprint } = await revokePeer(server, "client.carol");
  expect(fingerprint).toBe(carol.fingerprint);
  expect(await peersOf(server)).toEqual(["client.alice", "client.bob", "dealer"]);
  expect(readdirSync(join(server, "revoked"))).toEqual([`client.carol-${fingerprint.slice(0, 12)}.pem`]);
});

test("a renewed key is trusted beside the old one until that is revoked", async () => {
  const renewed = await renewKeys(server, at("server-renewed"));
  expect(await peersOf(at("server-renewed"))).toEqual(await peersOf(server));
  expect((await refusal(trustPeer(alice, "server", renewed.certificateFile)))[0]).toMatchObject({
    code: "MRL0743",
    help: expect.stringContaining(`marillc keys revoke ${alice} server`),
  });
  await trustPeer(alice, "server.2027", renewed.certificateFile);
  expect(await peersOf(alice)).toEqual(["dealer", "server", "server.2027"]);
  await revokePeer(alice, "server");
  expect(await peersOf(alice)).toEqual(["dealer", "server.2027"]);
});

test("`keys renew` prints a command that works beside the old certificate, however often a key is renewed", async () => {
  for (const [from, to] of [
    ["bob", "bob-2"],
    ["bob-2", "bob-3"],
  ] as const) {
    const { code, out } = await marillc("keys", "renew", at(from), at(to));
    expect(code).toBe(0);
    const name = /`marillc keys trust <its identity> (\S+) <that file>`/.exec(out)![1]!;
    expect(name).toMatch(/^client\.bob-/);
    expect((await marillc("keys", "trust", dealer, name, at(to, "cert.pem"))).code).toBe(0);
  }
  expect((await peersOf(dealer)).filter((peer) => peer.startsWith("client.bob"))).toHaveLength(3);
});

test.each<[string, () => Promise<unknown>, RegExp]>([
  ["a name that is no party's", () => trustPeer(server, "client.a/b", join(alice, "cert.pem")), /name of a party/],
  ["a party of the same role", () => trustPeer(server, "server.other", join(alice, "cert.pem")), /another role/],
  ["a certificate with another name", () => trustPeer(server, "client.eve", join(alice, "cert.pem")), /client\.alice/],
  ["its own certificate", () => trustPeer(server, "client.eve", join(server, "cert.pem")), /this party's own/],
  ["a file without a certificate", () => trustPeer(server, "client.eve", join(alice, "identity.json")), /PEM/],
  ["nobody who is trusted", () => revokePeer(server, "client.eve"), /party that is trusted/],
  ["an invite for its own role", () => makeInvite(server, "server.two", at("two.json")), /another role/],
])("%s is refused", async (_what, work, says) => {
  expect(await refusal(work())).toMatchObject([{ code: "MRL0743", message: expect.stringMatching(says) }]);
});

test("a certificate that soon expires is warned of, its own and a peer's, and an expired one can be renewed", async () => {
  const soon = await makeKeyPair("soon", new Date(Date.now() - 1e6), new Date(Date.now() + 10.5 * 86_400_000));
  writeFileSync(at("soon.pem"), soon.certificate);
  await trustPeer(bob, "dealer.soon", at("soon.pem"));
  const warnings: Diagnostic[] = [];
  await readIdentity(bob, (each) => warnings.push(each));
  expect(warnings).toMatchObject([{ code: "MRL0742", message: expect.stringContaining("expires in 10 days") }]);
  await acceptInvite(at("bob.invite.json"), at("short"), { days: 1 });
  await readIdentity(at("short"), (each) => warnings.push(each));
  expect(warnings[1]).toMatchObject({ code: "MRL0742", help: expect.stringContaining("marillc keys renew") });
  const old = await makeKeyPair("old", new Date(Date.now() - 2e8), new Date(Date.now() - 1e8));
  const { fingerprint } = await renewKeys(bob, at("expired"));
  const file = at("expired/identity.json");
  writeFileSync(at("expired/key.pem"), old.key);
  writeFileSync(at("expired/cert.pem"), old.certificate);
  writeFileSync(file, readFileSync(file, "utf8").replace(fingerprint, fingerprintOf(old.certificate)));
  expect((await refusal(readIdentity(at("expired")))).map(({ code }) => code)).toEqual(["MRL0733"]);
  await renewKeys(at("expired"), at("fresh"));
  expect(await peersOf(at("fresh"))).toEqual(await peersOf(bob));
});

test("the commands do the same, and print documents of their schemas", async () => {
  const keys = at("by-command");
  const steps = [
    ["init --role", "init", keys, "--role", "dealer"],
    ["accept", "accept", join(keys, "server.invite.json"), at("their-server")],
    ["trust", "trust", join(keys, "dealer"), "server", at("their-server/cert.pem")],
    ["invite", "invite", join(keys, "dealer"), "client.dave", at("dave.invite.json")],
    ["list", "list", join(keys, "dealer")],
    ["renew", "renew", join(keys, "dealer"), at("dealer-renewed")],
    ["revoke", "revoke", join(keys, "dealer"), "server"],
  ] as const;
  for (const [name, ...words] of steps) {
    const { code, out, err } = await marillc("keys", ...words, "--json");
    expect([name, code, err]).toEqual([name, 0, ""]);
    expect(violations(JSON.parse(out), schemas[`keys ${name}`]!)).toEqual([]);
  }
  expect((await marillc("keys", "init", keys, "--role", "clerk")).code).toBe(2);
  expect((await marillc("keys", "list", server)).out).toContain("client.alice");
});

test("an invite says whom it does not name yet, and which command changes that", async () => {
  const keys = at("first-steps");
  const own = join(keys, "server");
  const made = await marillc("keys", "init", keys, "--role", "server");
  expect(made.out).toContain(`Send ${join(keys, "dealer.invite.json")} to the dealer: it runs`);
  expect(made.out).toContain(`${join(keys, "client.invite.json")} names no dealer yet. Once you trust its certificate`);
  const invite = (file: string, ...more: readonly string[]) =>
    marillc("keys", "invite", own, "client.eve", at(file), ...more);
  const early = await invite("early.json");
  expect(early.out).toContain(`names no dealer, because this party trusts none yet: client.eve would not reach one`);
  expect(early.out).toContain(`marillc keys trust ${own} dealer <its cert.pem>`);
  const accepted = await acceptInvite(join(keys, "dealer.invite.json"), at("first-dealer"));
  await trustPeer(own, "dealer", accepted.certificateFile);
  expect((await invite("late.json")).out).not.toContain("names no");
  expect(JSON.parse((await invite("last.json", "--json")).out)).toMatchObject({
    peers: ["server", "dealer"],
    missing: [],
  });
});

/** RSA of 1024 bits, made by OpenSSL. */
const weakCertificate = `-----BEGIN CERTIFICATE-----
MIIBnDCCAQUCFCXGKuQSXeuZr3L58KQk7jtLpOxqMA0GCSqGSIb3DQEBCwUAMAwx
CjAIBgNVBAMMAWMwIBcNMjYxMjAxMTUzNjEyWhgPMjA1NDA0MTgxNTM2MTJaMAwx
CjAIBgNVBAMMAWMwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGBALqmXfRSFe0f
MqyBdnjzZ71RBDSyCPAvhCPDJAZLr7G9uJXLlanT29FUaJqshJ7S+hbmROGyq1HG
03X9p+U2yKgf/W36WeeZlOM0C4hCkJKVtUzyF7PDbi0tkdy8nku8te9k3TUMmcae
ivlucaZJ9CQ/EuDFfQnsWjBHaBZclvSZAgMBAAEwDQYJKoZIhvcNAQELBQADgYEA
K5E+8eRYgHcgPdaCPteW57nGJBQRhydOWODVh0s+Ng/VCyZ6KZhgzux9B68Xl/7x
4SI4CvqCxmIVUOfCqBsW1hocq74z432an4IumzXHqR4ya+HS7zTFHL3yWMG/gZr2
DddDeZclvez7li0UEWwf8+M9wz47xEnet6MwTyLnHv8=
-----END CERTIFICATE-----
`;

const ed25519Certificate = `-----BEGIN CERTIFICATE-----
MIHUMIGHAhRat3vrZKmoiNtNBxfEGtEpzGURnDAFBgMrZXAwDDEKMAgGA1UEAwwB
YzAgFw0yNjEyMDExNjEzMThaGA8yMDU0MDQxODE2MTMxOFowDDEKMAgGA1UEAwwB
YzAqMAUGAytlcAMhAFKQ5+DQ+Q76B5evj8YJ3jtoLf+xEP+KomFv/CNV78INMAUG
AytlcANBAIh+p3B+J7WrjSyLBBzVQhHsOxquNgiKfSU9vyM3iP6HNGW5ML8rZqPZ
8+sUPuQhrk3RSKOX08Cm/Q46zp+ldgM=
-----END CERTIFICATE-----
`;
const otherCurveCertificate = `-----BEGIN CERTIFICATE-----
MIHwMIGoAhQQBytoKygT7l/iW3CvSMdeITQNszAKBggqhkjOPQQDAjAMMQowCAYD
VQQDDAFjMCAXDTI2MTIwMTE2MTMxOFoYDzIwNTQwNDE4MTYxMzE4WjAMMQowCAYD
VQQDDAFjMEYwEAYHKoZIzj0CAQYFK4EEAB8DMgAEm3hZzwWET9Ov9lj0oW6+oj9Q
BCj/uuHnbG+arUtLqjt+M1bD43qwb5fTX6KymkNOMAoGCCqGSM49BAMCAzcAMDQC
GEPRAyg0MiTxpEvrZf/mmeYMhhm1IUxQLwIYMP7KiyJeUCBn0ZGFUMYcx+JNCHm8
bkMr
-----END CERTIFICATE-----
`;

test("Ed25519 is a strong key, and only curves that TLS 1.3 has are", () => {
  expect(readCertificate(ed25519Certificate).publicKey.asymmetricKeyType).toBe("ed25519");
  expect(() => readCertificate(otherCurveCertificate)).toThrow(/too weak \(EC on secp\d+k1\)/);
});

test("what is trusted is one certificate with a strong key, and nothing beside it", async () => {
  const fresh = await makeKeyPair("fresh", new Date(), new Date(Date.now() + 1e9));
  const file = at("sent.pem");
  const refused = async (text: string): Promise<readonly string[]> => {
    writeFileSync(file, text);
    return (await refusal(trustPeer(server, "client.eve", file))).map(({ code, message }) => `${code} ${message}`);
  };
  expect(await refused(fresh.key + fresh.certificate)).toEqual([
    "MRL0743 expected one certificate: there is a private key beside the certificate",
  ]);
  expect(await refused(fresh.certificate.repeat(2))).toEqual([
    "MRL0743 expected one certificate: there are several certificates",
  ]);
  expect(await refused(weakCertificate)).toEqual([
    "MRL0743 expected one certificate: the key of the certificate is too weak (RSA of 1024 bits)",
  ]);
  expect(await refused("hello")).toEqual(["MRL0743 expected one certificate: there is no PEM certificate"]);
  // A peer that was put there by hand is held to the same.
  cpSync(server, at("by-hand"), { recursive: true });
  writeFileSync(at("by-hand/peers/client.eve.pem"), weakCertificate);
  expect(await refusal(readIdentity(at("by-hand")))).toMatchObject([
    { code: "MRL0732", message: expect.stringContaining("too weak (RSA of 1024 bits)") },
  ]);
  // Text around a certificate stays where it was.
  writeFileSync(file, `a note\n${fresh.certificate}more`);
  await trustPeer(server, "client.eve", file);
  expect(readFileSync(join(server, "peers/client.eve.pem"), "utf8").trim()).toBe(fresh.certificate.trim());
  await revokePeer(server, "client.eve");
});

test("a pipe or a device in the place of a file is refused at once", async () => {
  const pipe = at("pipe");
  execFileSync("mkfifo", [pipe]);
  for (const place of [pipe, "/dev/zero"]) {
    const found = [
      await refusal(trustPeer(server, "client.eve", place)),
      await refusal(acceptInvite(place, at("never"))),
    ];
    for (const [diagnostic] of found) expect(JSON.stringify(diagnostic)).toContain("this is not a regular file");
  }
  cpSync(server, at("piped"), { recursive: true });
  rmSync(at("piped/peers/dealer.pem"));
  execFileSync("mkfifo", [at("piped/peers/dealer.pem")]);
  expect((await refusal(readIdentity(at("piped")))).map(({ code }) => code)).toEqual(["MRL0731"]);
});
