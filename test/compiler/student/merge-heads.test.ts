import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import type { AttentionCore } from "../../../compiler/student/attention-core.ts";
import { type AttentionSite, findAttentionSites } from "../../../compiler/student/attention-sites.ts";
import { type ModelGraph, readModelGraph } from "../../../compiler/student/model-graph.ts";
import { opsOf } from "../../../ir/module.ts";
import type { Tensor } from "../../../ir/tensor.ts";
import { inputsOf } from "../../end-to-end/compiled.ts";
import { models } from "../../harness/fixtures.ts";
import { type AttentionModel, attentionModel, rowsOf } from "./attention-model.ts";
import { farthest, type Inputs, insideOf, interpreted, runOnnx, studentAt } from "./student-models.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-merge-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** The definition: per group of heads one softmax over s · Σ Qᵢ·Kᵢᵀ + mask, which weighs every member's values. */
function byDefinition(
  { heads, keyHeads, depth }: AttentionSite,
  scale: number,
  members: readonly (readonly number[])[],
  [q, k, v]: readonly [Tensor, Tensor, Tensor],
  mask: (row: number, column: number) => number,
): Tensor {
  const [rows, columns] = [q.shape.at(-2)!, v.shape.at(-2)!];
  const keysOf = (head: number): number => Math.floor((head * keyHeads) / heads);
  const out = new Float64Array(heads * rows * depth);
  for (const group of members) {
    for (let row = 0; row < rows; row++) {
      const scores = Array.from({ length: columns }, (_, column) => {
        const products = group.map((head) => {
          let sum = 0;
          for (let d = 0; d < depth; d++) {
            sum += q.data[(head * rows + row) * depth + d]! * k.data[(keysOf(head) * columns + column) * depth + d]!;
          }
          return sum;
        });
        return scale * products.reduce((sum, each) => sum + each, 0) + mask(row, column);
      });
      const most = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - most));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const head of group) {
        for (let d = 0; d < depth; d++) {
          const mixed = weights.map(
            (weight, column) => weight * v.data[(keysOf(head) * columns + column) * depth + d]!,
          );
          out[(head * rows + row) * depth + d] = mixed.reduce((sum, each) => sum + each, 0) / total;
        }
      }
    }
  }
  return { shape: [1, heads, rows, depth], data: out };
}

const causal = (row: number, column: number): number => (column <= row ? 0 : Number.NEGATIVE_INFINITY);

type Parts = readonly [queries: Tensor, keys: Tensor, values: Tensor, result: Tensor];

/** Queries, keys and values of every attention in a student, [1, G, S, D], and its result. */
async function partsOf(
  path: string,
  source: ModelGraph,
  inputs: Inputs,
): Promise<readonly (readonly [AttentionSite, Parts])[]> {
  const { module, sources } = source.unfused;
  const shapes = new Map([...sources].map(([id, name]) => [name, module.values[id]!.type.shape]));
  const sites = findAttentionSites(source);
  // The student keeps the names of attention's inputs and results.
  const names = sites.map(({ core }) => {
    const { q, k, v, end } = core as AttentionCore;
    return [q.tensor, k.tensor, v.tensor, end.outputs[0]!];
  });
  const found = await insideOf(path, new Map(names.flat().map((name) => [name, shapes.get(name)!])), inputs);
  return sites.map((site, at) => {
    const [queries, keys, values, result] = names[at]!.map((name) => found.get(name)!) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    return [site, [queries, (site.core as AttentionCore).k.transposed ? turned(keys) : keys, values, result]];
  });
}

function turned({ shape, data }: Tensor): Tensor {
  const [batch, heads, depth, rows] = shape as [number, number, number, number];
  const out = new Float64Array(data.length);
  data.forEach((value, at) => {
    const [row, d, head] = [at % rows, Math.floor(at / rows) % depth, Math.floor(at / rows / depth)];
    out[(head * rows + row) * depth + d] = value;
  });
  return { shape: [batch, heads, rows, depth], data: out };
}

const specs: readonly (readonly [string, AttentionModel])[] = [
  ["8 heads", { layers: 2, heads: 8, groups: 8, depth: 4, rows: 5, rope: false, bias: true }],
  ["8 heads with position embeddings", { layers: 2, heads: 8, groups: 8, depth: 4, rows: 5, rope: true, bias: false }],
  ["8 heads on 4 groups of keys", { layers: 2, heads: 8, groups: 4, depth: 4, rows: 5, rope: true, bias: true }],
  ["12 heads on 4 groups of keys", { layers: 1, heads: 12, groups: 4, depth: 2, rows: 3, rope: true, bias: false }],
];

describe.each(specs)("merged: %s", (name, spec) => {
  const model = join(dir, `${name}.onnx`);
  writeFileSync(model, attentionModel(spec));
  const inputs = rowsOf(spec);
  const source = readModelGraph(readModel(model), new Map());

  describe.each([2, 4] as const)("by %i", (size) => {
    it.each(["adjacent", "similarity"] as const)("matches its definition, grouped by %s", async (grouping) => {
      const path = join(dir, `${name}-${size}-${grouping}.onnx`);
      const { manifest } = studentAt(path, { model, heads: { what: "merge", size, grouping } });
      // The heads of the source, taken from the source itself.
      const attention = await partsOf(path, source, inputs);
      expect(attention).toHaveLength(spec.layers);
      for (const [at, [site, [queries, keys, values, result]]] of attention.entries()) {
        const { order, scale, heads } = manifest.heads!.attention[at]!;
        expect(heads.flat().sort((a, b) => a - b)).toEqual([...Array(spec.heads).keys()]);
        // Index p of the student holds head order[p] of the source.
        const members = heads.map((group) => group.map((head) => order.queries.indexOf(head)));
        const wanted = byDefinition(site, scale.is, members, [queries, keys, values], causal);
        expect(farthest(result, wanted)).toBeLessThan(1e-5);
        expect(scale.is).toBeCloseTo(1 / (size * Math.sqrt(spec.depth)), 7);
      }
      const [found] = [...(await runOnnx(path, inputs)).values()];
      expect(farthest(found!, interpreted(path, inputs))).toBeLessThan(1e-5);
      const [before] = [...(await runOnnx(model, inputs)).values()];
      expect(farthest(found!, before!)).toBeGreaterThan(1e-3);
    });
  });

  it("is imported as attention with fewer, deeper heads", () => {
    const path = join(dir, `${name}-imported.onnx`);
    studentAt(path, { model, heads: { what: "merge", size: 2 } });
    const { module } = readModelGraph(readModel(path), new Map()).fused;
    const found = opsOf(module).filter((op) => op.name === "attention");
    expect(found).toHaveLength(spec.layers);
    for (const { operands } of found) {
      const [q, k, v] = operands.map((id) => module.values[id]!.type.shape);
      expect(q).toEqual([1, spec.heads / 2, spec.rows, 2 * spec.depth]);
      expect(k).toEqual([1, spec.groups / 2, spec.rows, 2 * spec.depth]);
      expect(v).toEqual(k);
    }
    expect(opsOf(module).filter((op) => ["softmax", "expand", "neg"].includes(op.name))).toEqual([]);
  });
});

describe("equal heads", () => {
  const spec: AttentionModel = {
    layers: 2,
    heads: 8,
    groups: 8,
    depth: 4,
    rows: 5,
    rope: true,
    bias: true,
    twins: true,
  };
  const model = join(dir, "twins.onnx");
  writeFileSync(model, attentionModel(spec));
  const inputs = rowsOf(spec);
  const change = async (scale: "mean" | "root" | "sum" | number): Promise<number> => {
    const path = join(dir, `twins-${scale}.onnx`);
    studentAt(path, { model, heads: { what: "merge", size: 2, scale } });
    const [before] = [...(await runOnnx(model, inputs)).values()];
    const [after] = [...(await runOnnx(path, inputs)).values()];
    return farthest(after!, before!);
  };

  it("are reproduced by the scale 1/(m√D), and by no other", async () => {
    expect(await change("mean")).toBeLessThan(1e-5);
    expect(await change(1 / (2 * Math.sqrt(spec.depth)))).toBeLessThan(1e-5);
    expect(await change("root")).toBeGreaterThan(1e-3);
    expect(await change("sum")).toBeGreaterThan(1e-3);
  });

  it("are found by their weights, in any order", () => {
    const { manifest } = studentAt(join(dir, "found.onnx"), {
      model,
      heads: { what: "merge", size: 2, grouping: "similarity" },
    });
    const pairs = [
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
    ];
    expect(manifest.heads!.attention.map(({ heads }) => heads)).toEqual([pairs, pairs]);
  });
});

const dims = { batch: 1, seq: 6 };
const exported = [
  "dev_llama_ts17_static",
  "dev_llama_ts17_dynamic",
  "dev_llama_dy18_static",
  "dev_gpt2_ts17_static",
  "dev_gpt2_dy18_static",
  "dev_bert_ts14_dynamic",
  "dev_bert_dy18_static",
  "dev_bert_dy23_static",
];

describe("models of both exporters", () => {
  it.each(exported)("%s, merged", async (name) => {
    const model = join(models, name, "model.onnx");
    const inputs = readInputFiles(inputsOf(join(models, name, "test_data_set_0")));
    const given: Readonly<Record<string, number>> = name.endsWith("dynamic") ? dims : {};
    const bound = new Map(Object.entries(given));
    const path = join(dir, `${name}.onnx`);
    const options = { model, heads: { what: "merge", size: 2, grouping: "similarity" }, dims: given } as const;
    const { manifest } = studentAt(path, options);
    const padding = inputs.get("attention_mask")!.tensor.data;
    const mask = (row: number, column: number): number =>
      padding[column] === 0 || (!name.includes("bert") && column > row) ? -1e30 : 0;
    const attention = await partsOf(path, readModelGraph(readModel(model), bound), inputs);
    for (const [at, [site, [queries, keys, values, result]]] of attention.entries()) {
      const { order, scale, heads } = manifest.heads!.attention[at]!;
      const members = heads.map((group) => group.map((head) => order.queries.indexOf(head)));
      expect(farthest(result, byDefinition(site, scale.is, members, [queries, keys, values], mask))).toBeLessThan(1e-5);
    }
    const [found] = [...(await runOnnx(path, inputs)).values()];
    expect(farthest(found!, interpreted(path, inputs, given))).toBeLessThan(1e-5);
  });
});
