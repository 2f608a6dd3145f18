import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CostReport } from "../../compiler/report/cost/cost-report.ts";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { writeTiny } from "../end-to-end/tiny-model.ts";
import { marillc, marillcJson } from "./run-cli.ts";

/** `--setting 3pc --truncation exact --link lan --objective online`: options together, from compile to generate. */
const dir = mkdtempSync(join(tmpdir(), "marillc-3pc-exact-"));
afterAll(() => rmSync(dir, { recursive: true }));
const files = writeTiny(join(dir, "model"));
const build = join(dir, "build");
const model = [files.model, "--base", files.base, "--reveal", "logits:client", "--calibrate", files.calibration];
const together = ["--setting", "3pc", "--truncation", "exact", "--link", "lan", "--objective", "online"];

interface Compiled {
  readonly truncation: string;
  readonly setting: string;
  readonly inexact: readonly object[];
  readonly error?: readonly { readonly code: string; readonly message: string; readonly help: string }[];
}

beforeAll(async () => {
  const { code, json } = await marillcJson<Compiled>("compile", ...model, ...together, "-o", build);
  expect(code).toBe(0);
  expect(json).toMatchObject({ setting: "3pc", truncation: "exact", inexact: [] });
});

test("a run opens what the interpreter computes, and names the helper", async () => {
  const asked = ["run", build, "--input", `tokens=${files.input}`];
  const secure = await marillcJson<RunResult>(...asked, "--in-process", "--repeat", "2");
  const plain = await marillcJson<RunResult>(...asked, "--plain");
  expect(secure.json.outputs.logits!.data).toEqual(plain.json.outputs.logits!.data);
  expect(secure.json).toMatchObject({ setting: "3pc", truncation: "exact" });
  expect(secure.json.measured!.rounds).toBe(secure.json.predicted!.rounds);
  expect(secure.json.measured!.bytes).toEqual(secure.json.predicted!.bytes);
  const { out } = await marillc(...asked, "--in-process");
  expect(out).toContain("helper");
  expect(out).not.toContain("dealer");
});

test("text is generated with a helper", async () => {
  const asked = ["generate", build, "--prompt", "ab", "--max-tokens", "1", "--in-process"];
  const { code, out } = await marillc(...asked);
  expect(code).toBe(0);
  expect(out).toContain("client, server and helper on this machine; 3pc: semi-honest, honest majority");
  expect(out).not.toContain("dealer");
  const { json } = await marillcJson<RunResult>(...asked);
  expect(json.measured!.bytes["helper→server"]).toBeGreaterThan(0);
  expect(Object.keys(json.measured!.bytes).filter((link) => link.includes("dealer"))).toEqual([]);
  expect(json.measured!.bytes).toEqual(json.predicted!.bytes);
});

test("cost of the model is that of the build, with exact truncations at every link", async () => {
  const { json } = await marillcJson<CostReport & { readonly diff: readonly object[] }>(
    "cost",
    ...model,
    ...together,
    "--diff",
    build,
  );
  expect(json.diff).toEqual([]);
  expect(json.failures).toBe(0);
  expect(json.operators.filter(({ error }) => error.ulps > 0)).toEqual([]);
});

test.each([
  [["--setting", "2pc"], "MRL0650", "--setting 2pc is not supported", "supported: 2pc-dealer, 3pc"],
  [["--truncation", "exakt"], "MRL0650", "--truncation exakt is not supported", "supported: fast, exact"],
  [["--objective", "bytes"], "MRL0650", "--objective bytes is not supported", "supported: time, online, total"],
  [["--preset", "puma"], "MRL0650", "--preset puma does not run in the setting 2pc-dealer", "give --setting 3pc"],
])("%j is refused by compile, cost and inspect alike", async (option, code, message, help) => {
  const commands = [["compile", "-o", join(dir, "refused")], ["cost"], ["inspect", "--stage", "select"]];
  for (const [name, ...more] of commands) {
    const { code: exit, json } = await marillcJson<Compiled>(name!, ...model, ...more, ...option);
    expect(exit).toBe(2);
    expect(json.error).toHaveLength(1);
    expect(json.error![0]).toMatchObject({ code, help });
    expect(json.error![0]!.message).toContain(message);
  }
});
