import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { CostReport } from "../../compiler/report/cost/cost-report.ts";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { type TinyFiles, writeTiny } from "../end-to-end/tiny-model.ts";
import { dateCalibration } from "../harness/shared-builds.ts";
import { marillc, marillcJson } from "./run-cli.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-exact-"));
afterAll(() => rmSync(dir, { recursive: true }));
const files: TinyFiles = writeTiny(dir);
const from = [files.model, "--base", files.base, "--calibrate", files.calibration];
const compiling = [...from, "--reveal", "logits:client", "--truncation", "exact"];
const build = join(dir, "build");

const run = (...more: readonly string[]) =>
  marillcJson<RunResult>("run", build, "--input", `tokens=${files.input}`, "--in-process", ...more);

test("an exact program says that nothing is inexact, and opens what the interpreter computes", async () => {
  const { code, json } = await marillcJson<{ truncation: string; inexact: object[] }>(
    "compile",
    ...compiling,
    "-o",
    build,
  );
  expect(code).toBe(0);
  expect(json).toMatchObject({ truncation: "exact", inexact: [] });
  expect((await marillc("inspect", build)).out).toContain("truncation exact\nnot exact: nothing");

  const [secure, plain] = [await run(), await run("--plain")];
  expect(secure.json.truncation).toBe("exact");
  expect(secure.json.outputs.logits!.data).toEqual(plain.json.outputs.logits!.data);
  expect(secure.json.measured!.rounds).toBe(secure.json.predicted!.rounds);
  expect(secure.json.measured!.bytes).toEqual(secure.json.predicted!.bytes);
});

test("cost counts its truncations, which all are exact", async () => {
  const { json } = await marillcJson<CostReport>("cost", ...compiling);
  const truncations = json.operators.filter(({ operator }) => operator === "truncate");
  expect(truncations.length).toBeGreaterThan(0);
  for (const each of truncations)
    expect(each).toMatchObject({ protocol: "faithful.truncate", error: { ulps: 0, failure: 0 } });
  expect(json.failures).toBe(0);
});

const fixture = join(import.meta.dirname, "../../fixtures/date-llama");

test("the date model lists its norms, attention and activations, no more, and sends what was predicted", async () => {
  const model = [join(fixture, "base-ts17.onnx"), "--adapter", join(fixture, "adapter"), "--reveal", "logits:client"];
  const exact = ["--calibrate", dateCalibration, "--truncation", "exact", "-o", join(dir, "date")];
  interface Compiled {
    readonly inexact: readonly { operator: string; count: number; at: readonly string[] }[];
  }
  const { json } = await marillcJson<Compiled>("compile", ...model, ...exact);
  expect(json).not.toHaveProperty("error");
  const counts = Object.fromEntries(json.inexact.map(({ operator, count }) => [operator, count]));
  expect(counts).toEqual({ "rms-norm": 6, attention: 3, silu: 3 });
  for (const { at } of json.inexact) expect(at.join()).toMatch(/layers\.[345]/);

  const input = join(dir, "prompt.json");
  const data = Array.from({ length: 48 }, (_, k) => 3 + (k % 20));
  writeFileSync(input, JSON.stringify({ input_ids: { dtype: "int64", shape: [1, 48], data } }));
  const { json: ran } = await marillcJson<RunResult>("run", join(dir, "date"), "--in-process", "--input", input);
  expect(ran.measured!.rounds).toBe(ran.predicted!.rounds);
  expect(ran.measured!.bytes).toEqual(ran.predicted!.bytes);
});
