import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { afterAll, expect, test } from "vitest";
import { diagnosticLines } from "../../compiler/cli/blockers.ts";
import { formatDiagnostic } from "../../ir/diagnostic.ts";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { marillc, marillcJson } from "./run-cli.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-blockers-"));
afterAll(() => rmSync(dir, { recursive: true }));

const layers = 24;
const name = (layer: number, op: string): string => `/model/layers.${layer}/mlp/${op}`;

function write(file: string, nodes: proto.INodeProto[], extra: Partial<proto.IGraphProto> = {}): string {
  const input = [floatInfo("x0", 2, 4)];
  const output = [floatInfo(`x${layers}`, 2, 4)];
  const path = join(dir, file);
  writeFileSync(path, modelBytes({ name: "deep", input, output, node: nodes, ...extra }));
  return path;
}

interface Answer {
  readonly passed: boolean;
  readonly blockers: readonly { readonly code: string; node: string; operator: string; layer: string; help: string }[];
}

test("every layer's blockers are told at once, also behind others, and each reason once", async () => {
  const infos = Array.from({ length: layers }, (_, k) => [floatInfo(`a${k}`, 2, 4), floatInfo(`x${k + 1}`, 2, 4)]);
  const path = write(
    "deep.onnx",
    infos.flatMap((_, k) => [
      node("NoSuchThing", [`x${k}`], [`a${k}`], name(k, "NoSuchThing")),
      // The second input decides a shape.
      node("Expand", [`a${k}`, `x${k}`], [`x${k + 1}`], name(k, "Expand")),
    ]),
    { valueInfo: infos.flat() },
  );
  const { code, json } = await marillcJson<Answer>("check", path);
  expect(code).toBe(1);
  expect(json.blockers).toHaveLength(2 * layers);
  for (const operator of ["NoSuchThing", "Expand"]) {
    const all = json.blockers.filter((each) => each.operator === operator);
    expect(new Set(all.map(({ layer }) => layer)).size).toBe(layers);
    expect(all.every(({ help }) => help.length > 0)).toBe(true);
  }
  const { out } = await marillc("check", path);
  expect(out).toContain("(24 times)");
  expect(out).toContain("… and 18 more: --json has all");
  expect(out).toContain("static shapes");
  expect(out).toContain("FAILED: 48 blockers, 2 reasons");
  expect(out.split("\n").length).toBeLessThan(30);
});

/** A product and a rounding, which no protocol has, in every layer. */
function rounded(file: string): string {
  const weights = Array.from({ length: layers }, (_, k) =>
    floatTensor(
      `model.layers.${k}.mlp.weight`,
      [4, 4],
      Array.from({ length: 16 }, (_, at) => (at % 5) - 2 + k / 8),
    ),
  );
  return write(
    file,
    weights.flatMap(({ name: weight }, k) => [
      node("MatMul", [`x${k}`, weight!], [`a${k}`], name(k, "MatMul")),
      node("Floor", [`a${k}`], [`x${k + 1}`], name(k, "Floor")),
    ]),
    { initializer: weights },
  );
}

test("what stands against a model behind the import has node, operator and layer too", async () => {
  const path = rounded("rounded.onnx");
  const given = ["check", path, "--base", path, "--private", "*", "--reveal", `x${layers}:client`];
  const { code, json } = await marillcJson<Answer>(...given);
  expect(code).toBe(1);
  expect(json.blockers.map(({ operator, layer }) => [operator, layer])).toEqual(
    Array.from({ length: layers }, (_, k) => ["Floor", `layers.${k}`]),
  );
  expect(json.blockers[0]!.node).toBe(name(0, "Floor"));
  expect((await marillc(...given)).out).toContain("FAILED: 24 blockers, 1 reason");
});

test("compile too tells one reason once", async () => {
  const path = rounded("again.onnx");
  const given = ["compile", path, "--base", path, "--private", "*", "--reveal", "*:client", "-o", join(dir, "build")];
  const { err } = await marillc(...given);
  expect(err.match(/^error .*/gm)).toHaveLength(1);
  expect(err).toMatch(/^error MRL0502: .* \(\d\d times\)$/m);
  expect(err).toMatch(/… and \d+ more: --json has all/);
  const { json } = await marillcJson<{ readonly error: readonly unknown[] }>(...given);
  expect(json.error.length).toBeGreaterThanOrEqual(layers);
});

test("values without bounds are one reason: what the client shares has none", async () => {
  const weights = Array.from({ length: layers }, (_, k) => floatTensor(`layers.${k}.scale`, [4], [1, 2, 3, k / 8]));
  const nodes = weights.map(({ name: weight }, k) => node("Mul", [`x${k}`, weight!], [`x${k + 1}`], name(k, "Mul")));
  const path = write("scales.onnx", nodes, { initializer: weights });
  const given = ["compile", path, "--base", path, "--private", "*", "--reveal", "*:client", "-o", join(dir, "build")];
  const { err } = await marillc(...given);
  expect(err.match(/^error .*/gm)).toHaveLength(1);
  expect(err).toContain("error MRL0669: expected public bounds of what the client shares, found none for x0");
});

test("diagnostics that differ in more than their places and figures are all printed", () => {
  const one = { code: "MRL0811", message: 'expected input "a", found none', help: "give it" };
  const other = { ...one, message: 'expected input "b", found none' };
  const placed = [1, 2].map((k) => ({ ...one, at: `layer ${k}` }));
  expect(diagnosticLines([one, other])).toHaveLength(2);
  expect(diagnosticLines([one, one])).toEqual([formatDiagnostic(one)]);
  expect(diagnosticLines([one, ...placed]).join("\n")).toBe([one, ...placed].map(formatDiagnostic).join("\n"));
  const named = [1, 2].map((k) => ({ ...one, message: `expected layers.${k}.scale, found none`, at: "the file" }));
  expect(diagnosticLines(named)).toHaveLength(2);
  expect(diagnosticLines(placed).join("\n")).toBe(
    'error MRL0811: expected input "a", found none (2 times)\n  at      layer 1\n          layer 2\n  help    give it',
  );
});
