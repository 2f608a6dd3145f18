import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { CostReport } from "../../compiler/report/cost/cost-report.ts";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { presets } from "../../passes/3-approximate/index.ts";
import { largestDifference } from "../end-to-end/declared-error.ts";
import { writeTiny } from "../end-to-end/tiny-model.ts";
import { marillc, marillcJson } from "./run-cli.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-numerics-"));
afterAll(() => rmSync(dir, { recursive: true }));
const files = writeTiny(join(dir, "model"));
const model = [files.model, "--base", files.base, "--reveal", "logits:client", "--calibrate", files.calibration];

const names = [...presets.keys()];
const settings = ["2pc-dealer", "3pc"] as const;
const both = names.flatMap((name) => settings.map((setting) => [name, setting] as const));
const runs = (name: string, setting: (typeof settings)[number]) => presets.get(name)!.settings.includes(setting);

test.each(
  both.filter(([name, setting]) => runs(name, setting)),
)("%s compiles and runs in %s", async (name, setting) => {
  const build = join(dir, `${name}-${setting}`);
  const compiled = await marillc("compile", ...model, "--preset", name, "--setting", setting, "-o", build);
  expect(compiled.err).toBe("");
  const { json } = await marillcJson<RunResult>("run", build, "--input", `tokens=${files.input}`, "--in-process");
  expect(json.measured!.bytes).toEqual(json.predicted!.bytes);
  const { json: plain } = await marillcJson<RunResult>("run", build, "--input", `tokens=${files.input}`, "--plain");
  // Two products and a relu, of numbers below 4: a few units of 2^-12, the coarsest that a preset has.
  expect(largestDifference(json.outputs.logits!.data, plain.outputs.logits!.data)).toBeLessThan(0.01);
});

test.each(both.filter(([name, setting]) => !runs(name, setting)))("%s is refused in %s", async (name, setting) => {
  const refused = await marillc("compile", ...model, "--preset", name, "--setting", setting, "-o", join(dir, "none"));
  expect(refused.code).toBe(2);
  expect(refused.err).toContain(`--preset ${name} does not run in the setting ${setting}`);
  const shape = await marillc(
    "cost",
    "--architecture",
    "bert-tiny",
    "--dim",
    "seq=8",
    "--preset",
    name,
    "--setting",
    setting,
  );
  expect(shape.code).toBe(1);
  expect(shape.err).toContain(`${name} supports --phase prefill and --setting 3pc`);
});

const total = ({ totals }: CostReport): number =>
  [totals.offline, totals.online].flatMap(({ bytes }) => Object.values(bytes)).reduce((a, b) => a + b, 0);

test("every preset counts the shape of bert-tiny, at more than twice ours", async () => {
  const counted = async (...more: readonly string[]): Promise<number> => {
    const { code, json } = await marillcJson<CostReport>(
      "cost",
      "--architecture",
      "bert-tiny",
      "--dim",
      "seq=4",
      ...more,
    );
    expect(code).toBe(0);
    return total(json);
  };
  const ours = await counted();
  for (const name of names) {
    const setting = presets.get(name)!.settings[0]!;
    expect(await counted("--preset", name, "--setting", setting), name).toBeGreaterThan(2 * ours);
  }
});

test("compile --help lists the presets", async () => {
  const { out } = await marillc("compile", "--help");
  for (const name of names) expect(out).toContain(name);
});

test("--precision says how many fractional bits there are", async () => {
  const args = [
    ...model,
    "--quality",
    "fast",
    "--stage",
    "quantize",
    "--precision",
    "weight=14",
    "--precision",
    "activation=10",
  ];
  const { out, err } = await marillc("inspect", ...args);
  expect(err).toBe("");
  expect(out).toMatch(/param .*server fx18\.14.* in \[-8, 8\]/);
  expect(out).toMatch(/shared fx\d+\.10/);
});
