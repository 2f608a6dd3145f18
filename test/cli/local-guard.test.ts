import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { readNpy } from "../../compiler/tensors/npy.ts";
import { writeNpz } from "../../compiler/tensors/npz.ts";
import { tensor } from "../../ir/tensor.ts";
import { marillc, marillcJson } from "./run-cli.ts";

/* An input that no bound of the client's refuses, and that drives a layer inside the network out of its own. */
const dir = mkdtempSync(join(tmpdir(), "marillc-local-guard-"));
const build = join(dir, "build");
const fixture = join(import.meta.dirname, "../../fixtures/cases/input-beyond-range");
const model = join(fixture, "model.onnx");
const inside = `x=${join(fixture, "test/x.npy")}`;
const driving = join(dir, "driving.json");

beforeAll(async () => {
  const declared = ["--base", model, "--private", "*", "--reveal", "y:client", "--calibrate", join(fixture, "calib")];
  expect((await marillc("compile", model, ...declared, "-o", build)).code).toBe(0);
  const x = readNpy(readFileSync(join(fixture, "test-big-x.npy")), "x").tensor.data;
  const held = [...x].map((value) => Math.min(10, Math.max(-10, value)));
  writeFileSync(driving, JSON.stringify({ x: [held.slice(0, 8), held.slice(8)] }));
});
afterAll(() => rmSync(dir, { recursive: true }));

interface Errors {
  readonly error: readonly { readonly code: string; readonly message: string; readonly because: readonly string[] }[];
}
const run = <T>(input: string, ...more: readonly string[]) =>
  marillcJson<T>("run", build, "--in-process", "--input", input, ...more);

test.each([[[]], [["--plain"]]])("the answer is refused, and the layer is named (%s)", async (how) => {
  const { code, json } = await run<Errors>(driving, ...how);
  expect(code).toBe(1);
  expect(json.error).toHaveLength(1);
  expect(json.error[0]!.code).toBe("MRL0816");
  expect(json.error[0]!.message).toContain("this answer cannot be trusted: values of layer /0/Gemm leave");
  expect(json.error[0]!.because[0]).toMatch(/^\/0\/Gemm: expected values in \[-9\.7523, 9\.7523\], found -?1\d\./);
});

test("--no-guard shows it as it is", async () => {
  const { code, json } = await run<RunResult>(driving, "--no-guard");
  expect(code).toBe(0);
  expect(json.outputs.y!.data).toHaveLength(6);
});

test("the advice works: a build that is calibrated on such inputs too gives the answer", async () => {
  const { code, err, out } = await marillc("run", build, "--in-process", "--input", driving);
  expect([code, err + out]).toEqual([1, expect.stringMatching(/help .*`marillc compile` with --calibrate/)]);
  const calib = join(dir, "calib");
  cpSync(join(fixture, "calib"), calib, { recursive: true });
  const x = tensor([2, 8], (JSON.parse(readFileSync(driving, "utf8")) as { x: number[][] }).x.flat());
  writeFileSync(join(calib, "driving.npz"), writeNpz(new Map([["x", { dtype: "float32", tensor: x }]])));
  const options = ["--base", model, "--private", "*", "--reveal", "y:client", "--calibrate", calib, "--no-verify"];
  expect((await marillc("compile", model, ...options, "-o", join(dir, "wider"))).code).toBe(0);
  expect((await marillc("run", join(dir, "wider"), "--in-process", "--input", driving)).code).toBe(0);
});

test("an answer on the way to which nothing leaves its bounds is given, by the parties and in plain", async () => {
  for (const how of [[], ["--plain"]]) expect((await run(inside, ...how)).code).toBe(0);
});
