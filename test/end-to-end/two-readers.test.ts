import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadManifest } from "../../compiler/build/party-build.ts";
import { readInputFiles } from "../../compiler/run/input-files.ts";
import { openOnnxSession } from "../../compiler/run/onnx-session.ts";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { readNpz } from "../../compiler/tensors/npz.ts";
import { marillc, marillcJson } from "../cli/run-cli.ts";

const root = join(import.meta.dirname, "../..");
const given = join(root, "fixtures/cases/reveal-two-readers");
const dir = mkdtempSync(join(tmpdir(), "marillc-two-readers-"));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (name: string): string => join(dir, name);

const model = join(given, "model.onnx");
const files = ["xa", "xb"].map((name) => `${name}=${join(given, "test", `${name}.npy`)}`);
const inputs = files.flatMap((file) => ["--input", file]);
const compile = (out: string, ...reveal: readonly string[]) =>
  marillc(
    ...["compile", model, "--base", model, "--private", "*", "--calibrate", join(given, "calib"), "-o", at(out)],
    ...reveal.flatMap((each) => ["--reveal", each]),
  );
const differences = (found: readonly number[], expected: ArrayLike<number>): number =>
  Math.max(...found.map((x, k) => Math.abs(x - expected[k]!)));

let expected: Float64Array;
beforeAll(async () => {
  const plain = await openOnnxSession(model);
  expected = (await plain.run(readInputFiles(files))).get("y")!.tensor.data;
});

describe("an output of both", () => {
  beforeAll(async () => {
    expect(await compile("both", "y:client", "y:server")).toMatchObject({ code: 0 });
  });

  test("the manifest, the roles and the flow checker name both readers", async () => {
    const { reveals, roles } = loadManifest(at("both"));
    expect(reveals).toEqual([
      { value: "y", tensor: "y", to: "client", shape: [4, 1] },
      { value: "y.server", tensor: "y", to: "server", shape: [4, 1] },
    ]);
    expect(roles.client).toContain("receives the outputs revealed to it");
    expect(roles.server).toBe("holds the private weights, receives the outputs revealed to it");
    const { out } = await marillc("check", at("both"));
    expect(out).toContain('"y" [4, 1] to the client');
    expect(out).toContain('"y" (y.server) [4, 1] to the server');
    expect(out).toContain("PASSED");
  });

  test("name:both is the same build", async () => {
    await compile("short", "y:both");
    const text = (out: string, file: string): string => readFileSync(join(at(out), file), "utf8");
    for (const file of ["manifest.json", "program.mir", "server/program.ts"]) {
      expect(text("short", file)).toBe(text("both", file));
    }
  });

  test.each([
    ["by three parties", []],
    ["in the interpreter", ["--plain"]],
  ])("both read what ONNX Runtime computes, %s", async (_, how) => {
    const { code, json } = await marillcJson<RunResult>("run", at("both"), "--in-process", ...inputs, ...how);
    expect(code).toBe(0);
    expect(differences(json.outputs.y!.data, expected)).toBeLessThan(2 ** -8);
    expect(json.serverOutputs).toEqual(json.outputs);
  });

  test("run prints both, and writes what was opened", async () => {
    const file = at("both.npz");
    const { out } = await marillc("run", at("both"), "--in-process", ...inputs, "--output", file);
    expect(out).toMatch(/^y {2}f32\[4, 1\].*\nopened to the server:\ny {2}f32\[4, 1\]/);
    const { tensor } = readNpz(readFileSync(file), file).get("y")!;
    expect(differences([...tensor.data], expected)).toBeLessThan(2 ** -8);
  });
});

describe("an output of the server's alone", () => {
  beforeAll(async () => {
    expect(await compile("server", "y:server")).toMatchObject({ code: 0 });
  });

  test("the client receives nothing, and everything says so", async () => {
    const { reveals, roles } = loadManifest(at("server"));
    expect(reveals).toEqual([{ value: "y", tensor: "y", to: "server", shape: [4, 1] }]);
    expect(roles.client).toBe("holds the input, computes the public part, receives nothing");
    const { json } = await marillcJson<RunResult>("run", at("server"), "--in-process", ...inputs);
    expect(json.outputs).toEqual({});
    expect(differences(json.serverOutputs!.y!.data, expected)).toBeLessThan(2 ** -8);
  });

  test("run prints it and writes it", async () => {
    const file = at("server.npz");
    const { out } = await marillc("run", at("server"), "--in-process", ...inputs, "--output", file);
    expect(out).toMatch(/^opened to the server:\ny {2}f32\[4, 1\]/);
    expect([...readNpz(readFileSync(file), file).keys()]).toEqual(["y"]);
  });
});

test("another reader is wrong usage, and the message lists the readers", async () => {
  const { code, err } = await compile("nobody", "y:dealer");
  expect(code).toBe(2);
  expect(err).toBe('error: --reveal takes name:client, name:server, name:both or name:shared, found "dealer"\n');
});

test("the help says who may read", async () => {
  for (const command of ["compile", "check", "cost", "inspect"]) {
    const { out } = await marillc(command, "--help");
    expect(out.replace(/\s+/g, " ")).toContain("who learns this output: client, server or both");
  }
});
