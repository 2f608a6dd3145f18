import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { CostReport } from "../../compiler/report/cost.ts";
import type { RunResult } from "../../compiler/run/result.ts";
import { type TinyFiles, writeTiny } from "../end-to-end/tiny-model.ts";
import { marillc, marillcJson } from "./cli.ts";

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
