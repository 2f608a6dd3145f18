import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { OptimizationTarget } from "../../compiler/build/manifest.ts";
import type { CostReport } from "../../compiler/report/cost/cost-report.ts";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { declaredError } from "../../scripts/tables/declared-error.ts";
import { largestDifference } from "../end-to-end/declared-error.ts";
import { writeTiny } from "../end-to-end/tiny-model.ts";
import { marillc, marillcJson } from "./run-cli.ts";

/** Protocols by link and objective, from the command line to the run. */
const dir = mkdtempSync(join(tmpdir(), "marillc-choice-"));
afterAll(() => rmSync(dir, { recursive: true }));
const files = writeTiny(join(dir, "model"));
const model = [files.model, "--base", files.base, "--reveal", "logits:client", "--calibrate", files.calibration];

type Chosen = CostReport & { readonly chosenFor: OptimizationTarget };

async function compiled(...more: readonly string[]): Promise<string> {
  const build = join(dir, `build${more.join("")}`);
  const { code, err } = await marillc("compile", ...model, ...more, "-o", build);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return build;
}

/** How the comparison of the one activation is computed. */
const comparisonIn = (build: string): string | undefined =>
  /masked\.relu(?: \{ comparison = "(\w+)"| at)/.exec(readFileSync(join(build, "program.mir"), "utf8"))?.[1];

const bytesOf = ({ totals }: CostReport): number =>
  [totals.offline, totals.online].flatMap(({ bytes }) => Object.values(bytes)).reduce((sum, count) => sum + count, 0);

test.each([
  ["wan", "time", "dpf"],
  ["1x0", "time", "tree"],
  ["1000x0", "online", "digits"],
  ["wan", "total", "tree"],
])("on %s for %s the activation compares by %s, and the run is as counted", async (link, objective, comparison) => {
  const build = await compiled("--link", link, "--objective", objective);
  expect(comparisonIn(build)).toBe(comparison);
  const asked = ["run", build, "--input", `tokens=${files.input}`];
  const { json } = await marillcJson<RunResult>(...asked, "--in-process");
  expect(json.measured!.rounds).toBe(json.predicted!.rounds);
  expect(json.measured!.bytes).toEqual(json.predicted!.bytes);
  const plain = await marillcJson<RunResult>(...asked, "--plain");
  expect(largestDifference(plain.json.outputs.logits!.data, json.outputs.logits!.data)).toBeLessThanOrEqual(
    await declaredError(build, files.input),
  );
});

test("each objective is least where it was asked for", async () => {
  const cost = async (...more: readonly string[]) => (await marillcJson<Chosen>("cost", ...model, ...more)).json;
  const slow = ["--link", "100x80"];
  const [time, total] = [await cost(...slow), await cost(...slow, "--objective", "total")];
  const seconds = ({ links }: CostReport): number => links![0]!.communicationSeconds.online;
  expect(seconds(time)).toBeLessThan(seconds(total));
  expect(bytesOf(total)).toBeLessThan(bytesOf(time));
});

test("a build says what it was chosen for, and two builds for it are the same bytes", async () => {
  const asked = ["--link", "lan", "--objective", "online"];
  const build = await compiled(...asked);
  const filesOf = (root: string) =>
    readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((path) => statSync(join(root, path)).isFile())
      .map((path) => [path, readFileSync(join(root, path), "base64")]);
  const before = filesOf(build);
  expect(filesOf(await compiled(...asked))).toEqual(before);

  const chosenFor = { link: { name: "lan", mbitPerSecond: 3000, roundTripMs: 0.8 }, objective: "online" };
  expect(JSON.parse(readFileSync(join(build, "server/manifest.json"), "utf8"))).toMatchObject({ chosenFor });
  // A build stays as it was compiled, whatever links its time is counted on.
  const { json } = await marillcJson<Chosen>("cost", build, "--link", "wan");
  expect(json.chosenFor).toEqual(chosenFor);
  const line = "protocols chosen for the least time from the input on, on lan (3000 Mbit/s, 0.8 ms)";
  const { out } = await marillc("compile", ...model, ...asked, "-o", build);
  for (const shown of [out, (await marillc("inspect", build)).out, (await marillc("cost", build)).out])
    expect(shown).toContain(line);
});

test("nothing said is the least time on wan", async () => {
  const [silent, said] = [await compiled(), await compiled("--link", "wan", "--objective", "time")];
  for (const file of ["manifest.json", "program.mir"])
    expect(readFileSync(join(silent, file), "utf8")).toBe(readFileSync(join(said, file), "utf8"));
});

test("cost of a model is for the first link, and counts its time on every one", async () => {
  const build = await compiled("--link", "1x0");
  const links = ["--link", "1x0", "--link", "wan"];
  const { code, json } = await marillcJson<Chosen & { diff: readonly object[] }>(
    "cost",
    ...model,
    ...links,
    "--diff",
    build,
  );
  expect(code).toBe(0);
  expect(json.diff).toEqual([]);
  expect(json.chosenFor.link.name).toBe("1x0");
  expect(json.links!.map(({ link }) => link)).toEqual(["1x0", "wan"]);
});

test("inspect --stage select shows the choice", async () => {
  const shown = async (link: string) => (await marillc("inspect", ...model, "--stage", "select", "--link", link)).out;
  expect(await shown("wan")).toContain('via masked.relu { comparison = "dpf" }');
  expect(await shown("1x0")).toContain('via masked.relu { comparison = "tree" }');
});

test("a shape is counted for the link and the objective", async () => {
  const count = async (...more: readonly string[]) =>
    (await marillcJson<Chosen>("cost", "--architecture", "bert-tiny", "--dim", "seq=8", ...more)).json;
  const [fast, small] = [await count(), await count("--objective", "total")];
  expect(fast.chosenFor).toEqual({
    link: { name: "wan", mbitPerSecond: 100, roundTripMs: 80 },
    objective: "time",
  });
  expect(fast.totals.online.rounds).toBeLessThan(small.totals.online.rounds);
  expect(bytesOf(small)).toBeLessThan(bytesOf(fast));
  expect((await count("--link", "lan")).totals.online.rounds).toBeGreaterThan(fast.totals.online.rounds);
});
