import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkFlow } from "../../compiler/audit/check-flow.ts";
import { loadManifest, loadPartyBuild } from "../../compiler/build/party-build.ts";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { marillc, marillcJson } from "../cli/run-cli.ts";

const given = join(import.meta.dirname, "../../fixtures/cases/two-adapters");
const dir = mkdtempSync(join(tmpdir(), "marillc-two-adapters-"));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (...names: readonly string[]): string => join(dir, ...names);
const [a, b] = [join(given, "a"), join(given, "b")];

const compile = (out: string, ...adapters: readonly string[]) =>
  marillc(
    ...["compile", join(given, "model.onnx"), "--reveal", "logits:client", "--calibrate", join(given, "calib")],
    ...["--margin", "8", "-o", at(out), ...adapters.flatMap((each) => ["--adapter", each])],
  );
const run = (out: string, ...more: readonly string[]) =>
  marillcJson<RunResult>(
    ...["run", at(out), "--in-process", "--input", `input_ids=${join(given, "test", "input_ids.npy")}`],
    ...more,
  );
const logitsOf = async (out: string, ...more: readonly string[]): Promise<readonly number[]> => {
  const { code, json } = await run(out, ...more);
  expect(code).toBe(0);
  return json.outputs.logits!.data;
};
const distance = (x: readonly number[], y: readonly number[]): number =>
  Math.max(...x.map((value, k) => Math.abs(value - y[k]!)));
const text = (...names: readonly string[]): string => readFileSync(at(...names), "latin1");

test("two adapters without names are wrong usage: neither wins in silence", async () => {
  const { code, err } = await compile("none", a, b);
  expect(code).toBe(2);
  expect(err).toContain(`several adapters need names, --adapter x=${a} --adapter y=${b}`);
  expect(err).toContain(`--adapter ${a}+${b} for both at once`);
  expect((await compile("none", `one=${a}`, b)).code).toBe(2);
  expect((await compile("none", `one=${a}`, `one=${b}`)).err).toContain("--adapter may be given once for one");
});

test.each([
  ["a folder twice in a sum", [`${a}+${a}`], "MRL0437"],
  ["a file of ONNX Runtime among others", [`x=${a}`, "y=other.onnx_adapter"], "MRL0436"],
])("%s is refused", async (_, adapters, code) => {
  expect((await compile("refused", ...adapters)).err).toContain(code);
});

test("several adapters and the public one that training started from are refused", async () => {
  const { err } = await marillc(
    ...["compile", join(given, "model.onnx"), "--reveal", "logits:client", "-o", at("refused")],
    ...["--adapter", `x=${a}`, "--adapter", `y=${b}`, "--base-adapter", a],
  );
  expect(err).toContain("MRL0438");
});

describe("adapters by name", () => {
  let single: Readonly<Record<"a" | "b", readonly number[]>>;
  beforeAll(async () => {
    for (const [name, path] of [
      ["a", a],
      ["b", b],
    ] as const)
      await compile(`only-${name}`, path);
    single = { a: await logitsOf("only-a"), b: await logitsOf("only-b") };
    expect(await compile("both", `en=${a}`, `de=${b}`)).toMatchObject({ code: 0 });
  });

  test("the server's choice answers as a build of that adapter alone", async () => {
    expect(distance(single.a, single.b)).toBeGreaterThan(0.05);
    for (const how of [[], ["--plain"]]) {
      expect(distance(await logitsOf("both", "--adapter", "en", ...how), single.a)).toBeLessThan(0.01);
      expect(distance(await logitsOf("both", "--adapter", "de", ...how), single.b)).toBeLessThan(0.01);
    }
  });

  test("traffic does not tell the choice", async () => {
    const [en, de] = [await run("both", "--adapter", "en"), await run("both", "--adapter", "de")];
    expect(en.json.measured!.bytes).toEqual(de.json.measured!.bytes);
    expect(en.json.measured!.rounds).toBe(de.json.measured!.rounds);
  });

  test("without a choice nothing answers, and the names are listed at the server alone", async () => {
    const { code, err } = await marillc("run", at("both"), "--in-process", "--input", "input_ids=x.npy");
    expect(code).toBe(1);
    expect(err).toContain("MRL0626: expected the name of an adapter of this build: de, en; found none");
    const other = await marillc("run", at("both"), "--adapter", "fr", "--input", "input_ids=x.npy");
    expect(other.err).toContain('MRL0626: expected the name of an adapter of this build: de, en; found "fr"');
    const none = await marillc("run", at("only-a"), "--adapter", "en", "--input", "input_ids=x.npy");
    expect(none.err).toContain("MRL0626: this build has one set of weights");
  });

  test("what the others hold is the same whatever the adapters are, and names none", async () => {
    // The same adapters under each other's names, in the other order.
    await compile("swapped", `de=${a}`, `en=${b}`);
    for (const role of ["client", "dealer"]) {
      for (const file of readdirSync(at("both", role)))
        expect(text("swapped", role, file)).toBe(text("both", role, file));
    }
    expect(text("swapped", "manifest.json")).toBe(text("both", "manifest.json"));
    expect(JSON.stringify(loadManifest(at("both")))).not.toMatch(/"[^"]*\b(en|de)\b[^"]*"/);
    const [en] = [await logitsOf("swapped", "--adapter", "en")];
    expect(distance(en, single.b)).toBeLessThan(0.01);
  });

  test("the server's folder has the private weights of each, of one shape; the flow checker passes", async () => {
    const [en, de] = await Promise.all(["en", "de"].map((name) => loadPartyBuild(at("both"), "server", name)));
    const shapes = ({ tensors }: typeof en & object) => [...tensors].map(([name, { shape }]) => [name, shape]);
    expect(shapes(en!)).toEqual(shapes(de!));
    const files = new Map<string, Uint8Array>(
      ["client", "server", "dealer"].flatMap((role) =>
        readdirSync(at("both", role)).map((file) => [`${role}/${file}`, readFileSync(at("both", role, file))] as const),
      ),
    );
    for (const file of ["manifest.json", "program.mir", "decode.mir"]) files.set(file, readFileSync(at("both", file)));
    expect(checkFlow(files).findings).toEqual([]);
  });

  test("a build replaces an earlier one with other adapters", async () => {
    await compile("again", `x=${a}`, `y=${b}`);
    await compile("again", `x=${a}`, `z=${b}`);
    const names = readdirSync(at("again", "server")).filter((file) => file.startsWith("adapter-"));
    expect(names.sort()).toEqual(["adapter-x.safetensors", "adapter-z.safetensors"]);
  });
});

test("a sum of adapters answers as float64 does with both active", async () => {
  const { code, out } = await compile("sum", `${a}+${b}`);
  expect(code).toBe(0);
  // The table of the compiler's own check against float64.
  expect(out).toMatch(/logits +\S+ +0\.0\d+/);
  expect(loadManifest(at("sum")).weights.filter(({ why }) => why === "of the adapter in a+b").length).toBeGreaterThan(
    0,
  );
  const { json } = await run("sum");
  expect(json.outputs.logits!.data).toHaveLength(8 * 64);
});

test("bounds that follow the adapter would tell which one is used: they are refused", async () => {
  const { code, err } = await marillc(
    ...["compile", join(given, "model.onnx"), "--reveal", "logits:client", "--calibrate", join(given, "calib")],
    ...["--publish-ranges", "-o", at("published"), "--adapter", `x=${a}`, "--adapter", `y=${b}`],
  );
  expect(code).toBe(1);
  expect(err).toContain("MRL0435");
  expect(err).toContain("make a build for each adapter");
});
