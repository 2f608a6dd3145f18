import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allOrNothing } from "../../../compiler/keys/identity-folder.ts";
import { type CreatedKeys, initKeys } from "../../../compiler/keys/init-keys.ts";
import { acceptInvite } from "../../../compiler/keys/invite.ts";
import { readIdentity } from "../../../compiler/keys/read-identity.ts";
import { makeKeyPair } from "../../../compiler/keys/x509.ts";
import type { Diagnostic, DiagnosticError } from "../../../ir/diagnostic.ts";
import { connect, listen } from "../../../runtime/transport/node/tls.ts";

let root: string;
let keys: CreatedKeys;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "marillc-keys-"));
  keys = await initKeys(join(root, "keys"));
});
afterAll(() => rm(root, { recursive: true }));

const codesOf = (promise: Promise<unknown>): Promise<string[]> =>
  promise.then(
    () => [],
    (error: DiagnosticError) => error.diagnostics.map(({ code }) => code),
  );

/** A copy of the client's folder, to be damaged. */
async function copy(): Promise<string> {
  const dir = await mkdtemp(join(root, "copy-"));
  await cp(keys.folders.client, dir, { recursive: true });
  return dir;
}

describe("keys init", () => {
  test("it makes a folder and an invite for each party", async () => {
    expect((await readdir(join(root, "keys"))).sort()).toEqual([
      "client",
      "client.invite.json",
      "dealer",
      "dealer.invite.json",
      "server",
      "server.invite.json",
    ]);
    const files = (await readdir(keys.folders.server, { recursive: true })).sort();
    expect(files).toEqual(["cert.pem", "identity.json", "key.pem", "peers", "peers/client.pem", "peers/dealer.pem"]);
    expect((await stat(join(keys.folders.server, "key.pem"))).mode & 0o777).toBe(0o600);
  });

  test("certificates are P-256, end-entity, and valid for two years from now", async () => {
    const certificate = new X509Certificate(await readFile(join(keys.folders.dealer, "cert.pem")));
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect([certificate.subject, certificate.ca]).toEqual(["CN=marillc dealer", false]);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(new Date(certificate.validTo)).toEqual(keys.validUntil);
    const days = (keys.validUntil.getTime() - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(729);
    expect(new Date(certificate.validFrom).getTime()).toBeLessThan(Date.now());
  });

  test("each private key is in the folder of its party only", async () => {
    for (const role of ["client", "server", "dealer"] as const) {
      expect(await readFile(keys.invites[role], "utf8")).not.toContain("PRIVATE");
      const files = await readdir(keys.folders[role], { recursive: true, withFileTypes: true });
      for (const file of files.filter((each) => each.isFile())) {
        const text = await readFile(join(file.parentPath, file.name), "utf8");
        expect(text.includes("PRIVATE")).toBe(file.name === "key.pem");
      }
    }
  });

  test("it overwrites no key, and writes nothing if a path exists", async () => {
    const dir = join(root, "again");
    await initKeys(dir, { days: 400 });
    const before = await readFile(join(dir, "server", "key.pem"), "utf8");
    expect(await codesOf(initKeys(dir))).toEqual(new Array(6).fill("MRL0730"));
    await rm(join(dir, "client"), { recursive: true });
    expect(await codesOf(initKeys(dir))).toEqual(new Array(5).fill("MRL0730"));
    expect((await readdir(dir)).includes("client")).toBe(false);
    expect(await readFile(join(dir, "server", "key.pem"), "utf8")).toBe(before);
  });
});

describe("reading an identity", () => {
  test("an identity has the role, the keys and the pins", async () => {
    const warnings: Diagnostic[] = [];
    const identity = await readIdentity(keys.folders.client, (warning) => warnings.push(warning));
    expect(identity.role).toBe("client");
    expect(identity.peers).toEqual([
      { role: "dealer", fingerprint: keys.fingerprints.dealer },
      { role: "server", fingerprint: keys.fingerprints.server },
    ]);
    expect(warnings).toEqual([]);
  });

  test.each<[string, (dir: string) => Promise<unknown>, string[]]>([
    [
      "a missing key and certificate",
      async (dir) => {
        await rm(join(dir, "key.pem"));
        await rm(join(dir, "cert.pem"));
      },
      ["MRL0731", "MRL0731"],
    ],
    ["a missing folder", (dir) => rm(dir, { recursive: true }), ["MRL0731", "MRL0731", "MRL0731"]],
    ["the key of another party", (dir) => cp(join(keys.folders.server, "key.pem"), join(dir, "key.pem")), ["MRL0732"]],
    ["a key file that is not a key", (dir) => writeFile(join(dir, "key.pem"), "hello"), ["MRL0732"]],
    ["a certificate file that is not a certificate", (dir) => writeFile(join(dir, "cert.pem"), "hello"), ["MRL0732"]],
    [
      "the certificate of another party",
      (dir) => cp(join(keys.folders.server, "cert.pem"), join(dir, "cert.pem")),
      ["MRL0732", "MRL0734"],
    ],
    ["an identity.json of another form", (dir) => writeFile(join(dir, "identity.json"), "{}"), ["MRL0736"]],
    [
      "a peer without a role",
      (dir) => cp(join(dir, "peers", "server.pem"), join(dir, "peers", "sever.pem")),
      ["MRL0734"],
    ],
    [
      "a certificate that two peers share",
      (dir) => cp(join(dir, "peers", "server.pem"), join(dir, "peers", "dealer.pem")),
      ["MRL0734"],
    ],
    ["a folder without peers", (dir) => rm(join(dir, "peers"), { recursive: true }), ["MRL0731"]],
  ])("%s is refused", async (_what, damage, codes) => {
    const dir = await copy();
    await damage(dir);
    expect(await codesOf(readIdentity(dir))).toEqual(codes);
  });

  test("a file that is not there and one that cannot be read are told apart", async () => {
    const dir = await copy();
    await rm(join(dir, "key.pem"));
    await rm(join(dir, "cert.pem"));
    await mkdir(join(dir, "cert.pem"));
    const messages = await readIdentity(dir).catch((error: DiagnosticError) =>
      error.diagnostics.map(({ message }) => message),
    );
    expect(messages).toEqual([
      "expected a file of this party's identity: there is no such file",
      "expected a file of this party's identity: this is not a regular file",
    ]);
  });

  test("an expired certificate is refused", async () => {
    const dir = await copy();
    const old = await makeKeyPair("old", new Date(Date.now() - 2e8), new Date(Date.now() - 1e8));
    await writeFile(join(dir, "key.pem"), old.key);
    await writeFile(join(dir, "cert.pem"), old.certificate);
    expect(await codesOf(readIdentity(dir))).toEqual(["MRL0733", "MRL0734"]);
  });

  test("a private key that other users can read gives a warning", async () => {
    const dir = await copy();
    await chmod(join(dir, "key.pem"), 0o644);
    const warnings: Diagnostic[] = [];
    await readIdentity(dir, (warning) => warnings.push(warning));
    expect(warnings.map(({ code, help }) => [code, help])).toEqual([["MRL0735", `chmod 600 ${join(dir, "key.pem")}`]]);
  });

  test("pins may be fingerprints in identity.json, and must not contradict the files", async () => {
    const dir = await copy();
    const file = join(dir, "identity.json");
    const value = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ ...value, peers: { server: keys.fingerprints.server } }));
    await rm(join(dir, "peers"), { recursive: true });
    expect((await readIdentity(dir)).peers).toEqual([{ role: "server", fingerprint: keys.fingerprints.server }]);
    await cp(join(keys.folders.client, "peers"), join(dir, "peers"), { recursive: true });
    await writeFile(file, JSON.stringify({ ...value, peers: { server: "0".repeat(64) } }));
    expect(await codesOf(readIdentity(dir))).toEqual(["MRL0734"]);
  });
});

test("what fails half-way leaves nothing behind, and what somebody else made stays", async () => {
  const path = join(root, "half");
  const failing = (code: string) =>
    allOrNothing([path], async () => {
      await writeFile(path, "half");
      throw Object.assign(new Error(code), { code });
    });
  await expect(failing("ENOSPC")).rejects.toThrow("ENOSPC");
  expect(existsSync(path)).toBe(false);
  await expect(failing("EEXIST")).rejects.toThrow("EEXIST");
  expect(existsSync(path)).toBe(true);
});

describe("invites", () => {
  test("a party makes its own key, the others pin it, and they talk", async () => {
    const dir = join(root, "my-own");
    const accepted = await acceptInvite(keys.invites.client, dir);
    expect([accepted.role, accepted.fingerprint === keys.fingerprints.client]).toEqual(["client", false]);
    expect(accepted.peers).toEqual(
      ["server", "dealer"].map((party) => ({ party, fingerprint: keys.fingerprints[party as "server"] })),
    );
    const server = join(root, "server-with-new-client");
    await cp(keys.folders.server, server, { recursive: true });
    await cp(accepted.certificateFile, join(server, "peers", "client.pem"));
    const peer = new Promise<string>((resolve, reject) => {
      void (async () => {
        const identity = await readIdentity(server);
        const listener = await listen({
          host: "127.0.0.1",
          port: 0,
          identity,
          onConnection: async (channel) => {
            resolve(channel.peer);
            await channel.close();
            await listener.close();
          },
          onRefused: reject,
        });
        const { host, port } = listener;
        await (await connect({ host, port, identity: await readIdentity(dir), expect: "server" })).close();
      })().catch(reject);
    });
    expect(await peer).toBe("client");
    expect(await codesOf(acceptInvite(keys.invites.client, dir))).toEqual(["MRL0730"]);
  });

  test.each<[string, (invite: string) => string]>([
    ["text that is not JSON", () => "{"],
    ["null", () => "null"],
    ["another role", (invite) => invite.replace('"invite": "client"', '"invite": "clerk"')],
    ["a peer of the invited role", (invite) => invite.replace('"role": "server"', '"role": "client"')],
    ["a name in the invited role", (invite) => invite.replace('"invite": "client"', '"invite": "client.alice"')],
    ["a name in a peer's role", (invite) => invite.replace('"role": "server"', '"role": "client.bob"')],
    ["a changed fingerprint", (invite) => invite.replace(keys.fingerprints.server, "0".repeat(64))],
    ["a certificate that is not one", (invite) => invite.replace("MII", "XII")],
    ["an invite without peers", () => '{"schema": 1, "invite": "client"}'],
  ])("%s is refused", async (_what, change) => {
    const file = join(root, "changed.invite.json");
    await writeFile(file, change(await readFile(keys.invites.client, "utf8")));
    expect(await codesOf(acceptInvite(file, join(root, "never")))).toEqual(["MRL0737"]);
  });

  test("a missing invite is refused", async () => {
    expect(await codesOf(acceptInvite(join(root, "nothing.json"), join(root, "never")))).toEqual(["MRL0737"]);
  });
});
