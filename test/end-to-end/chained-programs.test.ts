import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type CompileOptions, compile } from "../../compiler/api/compile.ts";
import { createKeys } from "../../compiler/api/keys.ts";
import { run } from "../../compiler/api/run.ts";
import type { Service } from "../../compiler/api/running-service.ts";
import { deal, query, serve } from "../../compiler/api/services.ts";
import { loadManifest } from "../../compiler/build/party-build.ts";
import { readResidue } from "../../compiler/inputs/residue-file.ts";
import { openOnnxSession } from "../../compiler/run/onnx-session.ts";
import { marillc, marillcJson } from "../cli/run-cli.ts";
import { chainInputs, writeChain } from "./chained-models.ts";
import { writeTiny } from "./tiny-model.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-chain-"));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (...names: readonly string[]): string => join(dir, ...names);
const files = writeChain(at("models"));

const compiled = (output: string, options: Omit<CompileOptions, "output">) =>
  compile({ private: ["*"], ...options, output: at(output) });
const frontOptions = { model: files.front, reveal: { h: "shared" }, calibrate: files.ofFront } as const;
const backOptions = { model: files.back, reveal: { y: "client" }, calibrate: files.ofBack } as const;

/** What the model that both programs are together computes in single precision. */
async function expectedOf(seed: number): Promise<Float64Array> {
  const whole = await openOnnxSession(files.whole);
  const { x, u } = chainInputs(seed);
  const typed = ({ shape, data }: typeof x) =>
    ({ dtype: "float32", tensor: { shape, data: Float64Array.from(data) } }) as const;
  return (await whole.run(new Map([...Object.entries({ x, u })].map(([name, t]) => [name, typed(t)])))).get("y")!.tensor
    .data;
}
const largest = (found: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Array.from(expected).reduce((most, x, k) => Math.max(most, Math.abs(x - found[k]!)), 0);

/** Runs the first program on one machine, and returns the two files. */
async function halves(seed: number, build = "front"): Promise<{ client: string; server: string }> {
  const { x } = chainInputs(seed);
  const { shares } = await run({ build: at(build), inputs: { x }, shares: at("shares"), inProcess: true });
  return shares!.h!.files as { client: string; server: string };
}
const runBack = (h: string, seed: number, more: object = {}) =>
  run({ build: at("back"), inputs: { h, u: chainInputs(seed).u }, inProcess: true, ...more });

/** Errors that both compilations declare, of the value between and of the answer. */
let declared: number;
beforeAll(async () => {
  const front = await compiled("front", { ...frontOptions, guard: ["all"] });
  const back = await compiled("back", { ...backOptions, inputs: { h: { from: at("front") } } });
  const errorOf = ({ verified }: typeof front): number => verified![0]!.declared!;
  // h·B·C: a sum of eight terms below one half, twice.
  declared = errorOf(front) * 16 + errorOf(back);
  expect(declared).toBeLessThan(2 ** -6);
}, 60_000);

describe("on one machine", () => {
  test("a chain computes what the whole model computes, and again from the same shares", async () => {
    const h = await halves(1);
    const pair = `${h.client}+${h.server}`;
    const expected = await expectedOf(1);
    const first = await runBack(pair, 1);
    expect(largest(first.outputs.y!.data, expected)).toBeLessThan(declared);
    expect(first.measured!.bytes).toEqual(first.predicted!.bytes);
    expect(first.measured!.rounds).toBe(first.predicted!.rounds);
    // Another query with other numbers beside it takes the same value over.
    const again = await runBack(pair, 1, { repeat: 2 });
    expect(largest(again.outputs.y!.data, expected)).toBeLessThan(declared);
  });

  test("three parties chain programs too, and each half may come first", async () => {
    await compiled("front3", { ...frontOptions, setting: "3pc", verify: false });
    await compiled("back3", { ...backOptions, setting: "3pc", verify: false, inputs: { h: { from: at("front3") } } });
    const h = await halves(2, "front3");
    const inputs = { h: `${h.server}+${h.client}`, u: chainInputs(2).u };
    const { outputs } = await run({ build: at("back3"), inputs, inProcess: true });
    expect(largest(outputs.y!.data, await expectedOf(2))).toBeLessThan(declared);
  });

  test.each([
    ["fast", "precise"],
    ["precise", "fast"],
  ] as const)("a program of quality %s is continued by one of quality %s", async (first, second) => {
    const more = { quality: first, verify: false };
    await compiled(first, { ...frontOptions, ...more });
    const inputs = { h: { from: at(first) } };
    await compiled(`after-${first}`, { ...backOptions, inputs, quality: second, verify: false });
    const [kept] = loadManifest(at(first)).sharedOutputs!;
    const [taken] = loadManifest(at(`after-${first}`)).sharedInputs!;
    expect(Math.sign(taken!.scale - kept!.scale)).toBe(first === "fast" ? 1 : -1);
    const h = await halves(3, first);
    const given = { h: `${h.client}+${h.server}`, u: chainInputs(3).u };
    const { outputs } = await run({ build: at(`after-${first}`), inputs: given, inProcess: true });
    expect(largest(outputs.y!.data, await expectedOf(3))).toBeLessThan(2 ** -8);
  });

  test("a value behind a product stays shared and is read, in the ring and at the scale of each", async () => {
    const more = { reveal: { y: ["client", "shared"] }, inputs: { h: "shared" } } as const;
    const { verified, manifest } = await compiled("both", { ...backOptions, ...more });
    expect(verified![0]!.secureError).toBeLessThanOrEqual(verified![0]!.declared!);
    expect(manifest.sharedOutputs).toMatchObject([{ tensor: "y", width: 53, scale: 14 }]);
    expect(manifest.reveals).toMatchObject([{ tensor: "y", to: "client" }]);
  });

  test("the interpreter takes the two files, or the plain value, which the first program's interpreter gives", async () => {
    const { x } = chainInputs(1);
    const front = await run({ build: at("front"), inputs: { x }, plain: true, output: at("h.npz") });
    expect(front.outputs).toEqual({});
    const h = await halves(1);
    for (const each of [`${h.client}+${h.server}`, at("h.npz")]) {
      for (const plain of [true, false]) {
        const more = plain ? { plain } : { inProcess: true };
        const { outputs } = await run({ build: at("back"), inputs: { h: each, u: chainInputs(1).u }, ...more });
        expect(largest(outputs.y!.data, await expectedOf(1))).toBeLessThan(declared);
      }
    }
  });

  test("a file is its owner's, has a public header, and says nothing of the value", async () => {
    const h = await halves(1);
    expect([h.client, h.server].map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
    const [client, server] = [readResidue(h.client), readResidue(h.server)];
    expect(client.value).toEqual(server.value);
    expect(client.value).toMatchObject({ tensor: "h", program: "front", shape: [2, 8], width: 53 });
    expect(client.value.programHash).toBe(loadManifest(at("front")).programHash);
    // Residues of 53 bits, of values below 2^20.
    for (const { residue } of [client, server])
      expect(residue.filter((x) => Math.abs(x) > 2 ** 44).length).toBeGreaterThan(12);
  });

  test("halves of two queries, two halves of one party, and one half are refused", async () => {
    const [a, b] = [await halves(1), await halves(2)];
    for (const [pair, found] of [
      [`${a.client}+${b.server}`, /expected two halves of one value/],
      [`${a.client}+${b.client}`, /found the client's and the client's/],
      [a.client, /expected the client's half and the server's, found the client's/],
    ] as const) {
      await expect(runBack(pair, 1)).rejects.toMatchObject({
        diagnostics: [{ code: "MRL0841", message: expect.stringMatching(found) }],
      });
    }
  });

  test("a file that was changed or made by someone else is refused", async () => {
    const h = await halves(1);
    const bytes = readFileSync(h.client);
    const broken = (change: (text: string) => string): string => {
      const file = at("broken.client.safetensors");
      writeFileSync(file, Buffer.from(change(bytes.toString("latin1")), "latin1"));
      return `${file}+${h.server}`;
    };
    for (const change of [
      (text: string) => text.replace("marillc.party", "marillc.parts"),
      (text: string) => text.replace('\\"width\\":53', '\\"width\\":12'),
      (text: string) => text.replace('\\"query\\"', '\\"quern\\"'),
    ])
      await expect(runBack(broken(change), 1)).rejects.toMatchObject({ diagnostics: [{ code: "MRL0840" }] });
    // A header that claims other bounds is that of another value.
    const other = broken((text) => text.replace('\\"lo\\":0', '\\"lo\\":1'));
    await expect(runBack(other, 1)).rejects.toMatchObject({ diagnostics: [{ code: "MRL0841" }] });
  });

  test("a build that keeps shares needs a folder for them, and no other takes one", async () => {
    const { x } = chainInputs(1);
    await expect(run({ build: at("front"), inputs: { x } })).rejects.toThrow("h stays shared: give a folder");
    await expect(runBack(at("h.npz"), 1, { shares: at("none") })).rejects.toThrow("this build has none");
  });
});

describe("bounds", () => {
  test("the manifests of both builds agree", () => {
    const [kept] = loadManifest(at("front")).sharedOutputs!;
    const [taken] = loadManifest(at("back")).sharedInputs!;
    expect(taken!.range).toEqual(kept!.range);
    expect(loadManifest(at("back")).inputs.find(({ name }) => name === "h")!.label).toBe("shared");
  });

  test("a value whose declared bounds exceed those of the second program is refused before anything is sent", async () => {
    // Bounds from the calibration inputs alone.
    await compiled("narrow", { ...backOptions, inputs: { h: "shared" }, verify: false });
    const h = await halves(1);
    const inputs = { h: `${h.client}+${h.server}`, u: chainInputs(1).u };
    await expect(run({ build: at("narrow"), inputs })).rejects.toMatchObject({
      diagnostics: [{ code: "MRL0842", help: expect.stringContaining("--input h:shared=<build of front>") }],
    });
    // The same by its value, where one machine has it.
    const far = { ...chainInputs(1).x, data: Array(16).fill(40) };
    await expect(run({ build: at("narrow"), inputs: { ...inputs, h: far } })).rejects.toMatchObject({
      diagnostics: [{ code: "MRL0813" }],
    });
  });

  test("what the first program's manifest says is refused at compile time where it does not fit", async () => {
    const refused = (options: object) => compiled("refused", { ...backOptions, verify: false, ...options } as never);
    const from = (build: string) => ({ inputs: { h: { from: at(build) } } });
    const ranges = at("ranges.json");
    const tokens = writeTiny(at("tiny")).model;
    writeFileSync(ranges, JSON.stringify({ schema: 1, values: [{ name: "h", lo: -1, hi: 1 }] }));
    for (const [options, code] of [
      [from("back"), "MRL0672"],
      [{ inputs: { h: { from: `${at("front")}#other` } } }, "MRL0672"],
      [{ ...from("front"), ranges }, "MRL0673"],
      [{ inputs: { h: "shared" }, preset: "crypten" }, "MRL0656"],
      [{ model: tokens, reveal: { logits: "client" }, inputs: { tokens: "shared" } }, "MRL0411"],
      [{ ...frontOptions, preset: "puma", setting: "3pc" }, "MRL0656"],
    ] as const) {
      await expect(refused(options), code).rejects.toMatchObject({ diagnostics: [{ code }] });
    }
  });

  test("the command line says the same as the functions", async () => {
    const { code, out } = await marillc(
      ...["compile", files.back, "--private", "*", "--calibrate", files.ofBack, "--reveal", "y:client", "--no-verify"],
      ...["--input", `h:shared=${at("front")}`, "-o", at("by-command")],
    );
    expect([code, out]).toEqual([0, expect.stringContaining("either party may supply a residue")]);
    const manifest = (build: string): string => readFileSync(at(build, "manifest.json"), "utf8");
    expect(manifest("by-command")).toBe(manifest("back"));
    const text = (await marillc("check", at("front"))).out;
    expect(text).toContain('"h" [2, 8]: client and server each hold a residue; nobody reads it');
    expect((await marillc("check", at("back"))).out).toContain('arrives shared     "h" [2, 8]');
    expect((await marillc("inspect", at("front"))).out).toMatch(/kept {4}h {2}\[2, 8\] {2}in \[0, .*shares of 53 bits/);
    expect((await marillcJson("check", at("front"))).json).toMatchObject({ passed: true, kept: [{ tensor: "h" }] });
    const { x } = chainInputs(1);
    writeFileSync(at("x.json"), JSON.stringify({ x }));
    const ran = await marillcJson<{ shares: object }>(
      ...["run", at("front"), "--in-process", "--input", at("x.json"), "--shares", at("shares")],
    );
    expect(ran.json.shares).toMatchObject({ h: { files: { client: expect.any(String), server: expect.any(String) } } });
  });
});

describe("over the network", () => {
  const services: Service[] = [];
  let folders: Readonly<Record<string, string>>;
  beforeAll(async () => {
    folders = (await createKeys({ folder: at("keys") })).folders;
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.close()));
  });

  async function deploy(build: string, more: object) {
    const log: string[] = [];
    const listen = { host: "127.0.0.1", port: 0 };
    const onLog = (line: string): void => void log.push(line);
    const dealer = await deal({ listen, identity: folders.dealer! });
    services.push(dealer);
    const identity = folders.server!;
    const server = await serve({ build: at(build, "server"), listen, dealer, identity, onLog, ...more });
    services.push(server);
    const ask = (inputs: object, own: object = {}) =>
      query({ build: at(build, "client"), server, dealer, identity: folders.client!, inputs: { ...inputs }, ...own });
    return { ask, log };
  }

  test("each party writes its half where it runs, and the server finds its own by what the client names", async () => {
    const front = await deploy("front", { shares: at("at-server") });
    const [one, two] = [3, 4].map((seed) => chainInputs(seed));
    const ask = async (x: object): Promise<string> =>
      (await front.ask({ x }, { shares: at("at-client") })).shares!.h!.files.client!;
    const [h1, h2] = [await ask(one!.x), await ask(two!.x)];
    const half = (file: string): string => file.split("/").at(-1)!.replace("client", "server");
    await expect.poll(() => readdirSync(at("at-server")).sort()).toEqual([half(h1), half(h2)].sort());

    const back = await deploy("back", { inputs: { h: at("at-server") } });
    const expected = [await expectedOf(3), await expectedOf(4)];
    for (const [k, h] of [h1, h2].entries()) {
      const { outputs } = await back.ask({ h, u: chainInputs(3 + k).u });
      expect(largest(outputs.y!.data, expected[k]!)).toBeLessThan(declared);
    }
    rmSync(at("at-server", half(h2)));
    await expect(back.ask({ h: h2, u: two!.u })).rejects.toMatchObject({ peerCode: "MRL0739" });
    expect(back.log.join("\n")).toContain("has no half of the value");
    // A server that was started with the half of another query refuses as well.
    const fixed = await deploy("back", { inputs: { h: at("at-server", half(h1)) } });
    await expect(fixed.ask({ h: h2, u: two!.u })).rejects.toMatchObject({ peerCode: "MRL0739" });
  });

  test("a server starts before the folder of its halves is there, says so, and refuses queries until it is", async () => {
    const warned: string[] = [];
    const later = at("later");
    const onWarning = (line: string): void => void warned.push(line);
    const { ask, log } = await deploy("back", { inputs: { h: later }, onWarning });
    expect(warned.join()).toContain(`shares of input h: there is no folder ${later} yet`);
    const h = await halves(1);
    const { u } = chainInputs(1);
    await expect(ask({ u, h: h.client })).rejects.toMatchObject({ peerCode: "MRL0739" });
    expect(log.join("\n")).toContain("has no half of the value");
    mkdirSync(later);
    copyFileSync(h.server, join(later, basename(h.server)));
    expect(largest((await ask({ u, h: h.client })).outputs.y!.data, await expectedOf(1))).toBeLessThan(declared);
  });

  test("a party without its half, or with the other party's, does not start", async () => {
    const h = await halves(1);
    const u = chainInputs(1).u;
    await expect(deploy("back", {})).rejects.toMatchObject({ diagnostics: [{ code: "MRL0843" }] });
    await expect(deploy("back", { inputs: { h: h.client } })).rejects.toMatchObject({
      diagnostics: [{ code: "MRL0841" }],
    });
    const { ask } = await deploy("back", { inputs: { h: h.server } });
    await expect(ask({ u })).rejects.toMatchObject({ diagnostics: [{ code: "MRL0843" }] });
    await expect(ask({ u, h: h.server })).rejects.toMatchObject({ diagnostics: [{ code: "MRL0841" }] });
    expect(largest((await ask({ u, h: h.client })).outputs.y!.data, await expectedOf(1))).toBeLessThan(declared);
  });
});
