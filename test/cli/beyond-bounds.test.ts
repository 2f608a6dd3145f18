import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../compiler/api/run.ts";
import { query } from "../../compiler/api/services.ts";
import { initKeys } from "../../compiler/keys/init-keys.ts";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { readNpy } from "../../compiler/tensors/npy.ts";
import { marillc, marillcJson } from "./run-cli.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-beyond-bounds-"));
const build = join(dir, "build");
const fixture = join(import.meta.dirname, "../../fixtures/cases/input-beyond-range");
const model = join(fixture, "model.onnx");
const inside = join(fixture, "test/x.npy");
const beyond = join(fixture, "test-big-x.npy");

beforeAll(async () => {
  const declared = ["--base", model, "--private", "*", "--reveal", "y:client", "--calibrate", join(fixture, "calib")];
  const { code, err } = await marillc("compile", model, ...declared, "-o", build);
  expect(err).toBe("");
  expect(code).toBe(0);
});
afterAll(() => rmSync(dir, { recursive: true }));

interface Errors {
  readonly error: readonly { readonly code: string; readonly message: string; readonly at: string }[];
}
const runFile = (file: string, ...more: readonly string[]) =>
  marillcJson<RunResult>("run", build, "--in-process", "--input", `x=${file}`, ...more);

test("the manifest says the bounds of what the client shares", () => {
  const { cuts } = JSON.parse(readFileSync(join(build, "manifest.json"), "utf8")) as {
    readonly cuts: readonly { readonly range: readonly number[] }[];
  };
  expect(cuts[0]!.range[1]).toBeCloseTo(10.61, 2);
});

test("an input within the bounds runs, and nothing is said to be clamped", async () => {
  const { code, json } = await runFile(inside, "--clamp");
  expect(code).toBe(0);
  expect(json.clamped).toBeUndefined();
});

test.each([
  [],
  ["--plain"],
])("an input beyond them is refused with the bound, and no value is shown (%s)", async (...how) => {
  const { code, json } = await marillcJson<Errors>("run", build, "--in-process", "--input", `x=${beyond}`, ...how);
  expect(code).toBe(1);
  expect(json.error).toHaveLength(1);
  expect(json.error[0]).toMatchObject({ code: "MRL0813", at: 'tensor "x"' });
  expect(json.error[0]!.message).toBe(
    "expected values in the public bounds [-10.6117, 10.6117], found 14 of 16 values beyond them",
  );
  // The value is the client's secret.
  expect(JSON.stringify(json)).not.toContain("52.1");
});

test("a query is refused before anybody is reached", async () => {
  const { folders } = await initKeys(join(dir, "keys"));
  // Nothing listens there: a connection would fail with another error.
  const nobody = "127.0.0.1:1";
  const asked = query({
    build,
    server: nobody,
    dealer: nobody,
    identity: folders.client,
    inputs: { x: beyond },
  });
  await expect(asked).rejects.toThrow(/MRL0813/);
  await expect(
    query({
      build,
      server: nobody,
      dealer: nobody,
      identity: folders.client,
      inputs: { x: beyond },
      clamp: true,
      patience: 0,
    }),
  ).rejects.not.toThrow(/MRL0813/);
});

test("--clamp moves such values onto the bounds, and says how many", async () => {
  const x = readNpy(readFileSync(inside), inside).tensor;
  const [, hi] = (
    JSON.parse(readFileSync(join(build, "manifest.json"), "utf8")) as { cuts: { range: [number, number] }[] }
  ).cuts[0]!.range;
  const starting = (value: number) => ({ shape: x.shape, data: x.data.with(0, value) });
  const moved = await run({ build, inputs: { x: starting(hi + 1) }, clamp: true, plain: true });
  const held = await run({ build, inputs: { x: starting(hi) }, plain: true });
  expect(moved.clamped).toEqual({ x: 1 });
  expect(held.clamped).toBeUndefined();
  expect(moved.outputs).toEqual(held.outputs);

  const file = join(dir, "beyond.json");
  writeFileSync(file, JSON.stringify({ x: [[hi + 1, ...x.data.subarray(1, 8)], [...x.data.subarray(8)]] }));
  const { code, err } = await marillc("run", build, "--in-process", "--input", file, "--clamp");
  expect(err).toContain('--clamp moved 1 value of tensor "x" onto its public bounds');
  expect(code).toBe(0);
});
