import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { decodeModel } from "../../../compiler/onnx/format/decode-model.ts";
import { readTensor } from "../../../compiler/onnx/format/read-tensor.ts";
import { readModel } from "../../../compiler/onnx/normalize/read-model.ts";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import { findAttentionSites, type HeadTraces } from "../../../compiler/student/attention-sites.ts";
import {
  type HeadOrder,
  mergedHeads,
  orderBySimilarity,
  strongestHeads,
} from "../../../compiler/student/group-heads.ts";
import { headSimilarity } from "../../../compiler/student/head-similarity.ts";
import { readModelGraph } from "../../../compiler/student/model-graph.ts";
import { applyPatch, emptyPatch } from "../../../compiler/student/model-patch.ts";
import { reorderHeads } from "../../../compiler/student/reorder-heads.ts";
import { readWholeFile } from "../../../compiler/tensors/files/read-file.ts";
import { opsOf } from "../../../ir/module.ts";
import { inputsOf } from "../../end-to-end/compiled.ts";
import { models } from "../../harness/fixtures.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { type AttentionModel, attentionModel, rowsOf } from "./attention-model.ts";
import { farthest, type Inputs, interpreted, runOnnx, studentAt } from "./student-models.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-heads-"));
afterAll(() => rmSync(dir, { recursive: true }));

const spec: AttentionModel = { layers: 2, heads: 8, groups: 4, depth: 4, rows: 5, rope: true, bias: true };
const model = join(dir, "model.onnx");
writeFileSync(model, attentionModel(spec));
const first = async (path: string, inputs: Inputs) => [...(await runOnnx(path, inputs)).values()][0]!;

/** A new order of whole heads: key heads reversed, and the queries of each. */
function shuffled(heads: number, groups: number): HeadOrder {
  const per = heads / groups;
  const keys = [...Array(groups).keys()].reverse();
  return {
    keys,
    queries: keys.flatMap((group) => Array.from({ length: per }, (_, r) => group * per + ((r + 1) % per))),
  };
}

/** The model with the heads of every attention in another order, and nothing else changed. */
function withHeadsMoved(path: string, out: string, dims: ReadonlyMap<string, number>): number {
  const graph = readModelGraph(readModel(path), dims);
  const tensors = findAttentionSites(graph).flatMap(({ traces, heads, keyHeads }) =>
    reorderHeads(graph.model, traces as HeadTraces, shuffled(heads, keyHeads)),
  );
  const patch = { ...emptyPatch, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
  writeFileSync(out, applyPatch(readWholeFile(path, 2 ** 30), graph.model, patch, "moved.weights").model);
  return tensors.length;
}

describe("whole heads in another order", () => {
  it("does not change the model's results", async () => {
    const out = join(dir, "moved.onnx");
    expect(withHeadsMoved(model, out, new Map())).toBe(14);
    // In double precision only the order of sums differs.
    expect(farthest(interpreted(out, rowsOf(spec)), interpreted(model, rowsOf(spec)))).toBeLessThan(1e-12);
    const [found, wanted] = [await first(out, rowsOf(spec)), await first(model, rowsOf(spec))];
    expect(farthest(found, wanted) / Math.max(...wanted.data.map(Math.abs))).toBeLessThan(1e-6);
  });

  describe("of both exporters", () => {
    const names = ["dev_llama_ts17_dynamic", "dev_llama_dy18_static", "dev_gpt2_ts17_static", "dev_gpt2_dy18_static"];
    it.each([
      ...names,
      "dev_bert_ts14_dynamic",
      "dev_bert_dy23_static",
      "dev_lora_llama_ts17_static",
    ])("%s", async (name) => {
      const path = join(models, name, "model.onnx");
      const out = join(dir, `${name}.onnx`);
      const dims = new Map<string, number>(
        name.endsWith("dynamic")
          ? [
              ["batch", 1],
              ["seq", 6],
            ]
          : [],
      );
      expect(withHeadsMoved(path, out, dims)).toBeGreaterThanOrEqual(6);
      const inputs = readInputFiles(inputsOf(join(models, name, "test_data_set_0")));
      const [found, wanted] = [await first(out, inputs), await first(path, inputs)];
      const size = Math.max(...wanted.data.map(Math.abs));
      expect(farthest(found, wanted) / size).toBeLessThan(1e-6);
    });
  });
});

describe("similarity", () => {
  const graph = readModelGraph(readModel(model), new Map());
  const [site] = findAttentionSites(graph);
  const { scores, weights } = headSimilarity(graph, site!.traces as HeadTraces, 2);

  it("is the inner product of Wq·Wkᵀ of two heads", () => {
    const matrix = (name: string) =>
      readTensor(graph.model, graph.model.graph.initializers.get(`layers.0.attn.${name}.weight`)!);
    const [q, k] = [matrix("q"), matrix("k")];
    const product = (head: number): number[] => {
      const [inner, group] = [q.shape[0]!, Math.floor(head / 2)];
      return Array.from({ length: inner * inner }, (_, at) => {
        let sum = 0;
        for (let d = 0; d < 4; d++) {
          sum += q.data[Math.floor(at / inner) * 32 + head * 4 + d]! * k.data[(at % inner) * 16 + group * 4 + d]!;
        }
        return sum;
      });
    };
    for (const [i, j] of [
      [0, 0],
      [0, 1],
      [3, 6],
      [7, 2],
    ] as const) {
      const [a, b] = [product(i), product(j)];
      expect(scores[i]![j]).toBeCloseTo(
        a.reduce((sum, x, at) => sum + x * b[at]!, 0),
        9,
      );
    }
    expect(weights).toHaveLength(8);
  });

  it("matches key heads, and in each pair the queries", () => {
    const { keys, queries } = orderBySimilarity(8, 4, 2, scores);
    expect([...keys].sort()).toEqual([0, 1, 2, 3]);
    expect([...queries].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    queries.forEach((head, place) => {
      expect(keys[Math.floor(place / 2)]).toBe(Math.floor(head / 2));
    });
    const total = (heads: readonly (readonly number[])[]): number =>
      heads.reduce((sum, [i, j]) => sum + scores[i!]![j!]!, 0);
    const best = total(mergedHeads({ keys, queries }, 2));
    // All 3 ways to pair four groups, each with the 2 ways to pair their queries.
    for (const [a, b, c, d] of [
      [0, 1, 2, 3],
      [0, 2, 1, 3],
      [0, 3, 1, 2],
    ] as const) {
      for (const [s, t] of [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ] as const) {
        const pairs = [[a, b, s] as const, [c, d, t] as const].flatMap(([x, y, turn]) => [
          [2 * x, 2 * y + turn],
          [2 * x + 1, 2 * y + 1 - turn],
        ]);
        expect(best).toBeGreaterThanOrEqual(total(pairs) - 1e-12);
      }
    }
  });

  it("keeps groups of four together", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 64, maxLength: 64 }),
        (numbers) => {
          const table = Array.from({ length: 8 }, (_, i) =>
            Float64Array.from({ length: 8 }, (_unused, j) => numbers[Math.min(i, j) * 8 + Math.max(i, j)]!),
          );
          const heads = mergedHeads(orderBySimilarity(8, 8, 4, table), 4);
          expect(heads.flat().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
          expect(heads.map((group) => group.length)).toEqual([4, 4]);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("pruned heads", () => {
  it.each([2, 4] as const)("by %i give the model whose other heads project to zero", async (size) => {
    const path = join(dir, `pruned-${size}.onnx`);
    const { manifest } = studentAt(path, { model, heads: { what: "prune", size } });
    const graph = readModelGraph(readModel(model), new Map());
    const kept = findAttentionSites(graph).map(({ traces }) =>
      strongestHeads(8, 4, size, headSimilarity(graph, traces as HeadTraces, 2).weights),
    );
    expect(manifest.heads!.attention.map(({ order }) => order)).toEqual(kept);
    // The source, with zeros in the rows of the output projection that belong to pruned heads.
    const tensors = kept.map(({ queries }, layer) => {
      const tensor = graph.model.graph.initializers.get(`layers.${layer}.attn.o.weight`)!;
      const numbers = Float32Array.from(readTensor(graph.model, tensor).data, (x, at) =>
        queries.includes(Math.floor(at / tensor.dims[1]! / 4)) ? x : 0,
      );
      return { ...tensor, source: { kind: "inline" as const, bytes: new Uint8Array(numbers.buffer) } };
    });
    const zeroed = join(dir, `zeroed-${size}.onnx`);
    const patch = { ...emptyPatch, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
    writeFileSync(zeroed, applyPatch(readWholeFile(model, 2 ** 30), graph.model, patch, "").model);
    const found = await first(path, rowsOf(spec));
    expect(farthest(found, await first(zeroed, rowsOf(spec)))).toBeLessThan(1e-5);
    expect(farthest(found, interpreted(path, rowsOf(spec)))).toBeLessThan(1e-5);
    const shapes = new Map(manifest.weights.map(({ name, shape, change }) => [name, [shape, change]]));
    expect(shapes.get("layers.0.attn.q.weight")).toEqual([[24, 32 / size], "resized"]);
    expect(shapes.get("layers.0.attn.o.weight")).toEqual([[32 / size, 24], "resized"]);
  });

  describe("of both exporters", () => {
    const names = ["dev_llama_ts17_static", "dev_llama_dy18_static", "dev_gpt2_ts17_static", "dev_gpt2_dy18_static"];
    it.each([...names, "dev_bert_ts14_dynamic", "dev_bert_dy18_static", "dev_bert_dy23_static"])("%s", async (name) => {
      const path = join(dir, `${name}-pruned.onnx`);
      const source = join(models, name, "model.onnx");
      const dims: Readonly<Record<string, number>> = name.endsWith("dynamic") ? { batch: 1, seq: 6 } : {};
      studentAt(path, { model: source, heads: { what: "prune", size: 2 }, dims });
      const inputs = readInputFiles(inputsOf(join(models, name, "test_data_set_0")));
      expect(farthest(await first(path, inputs), interpreted(path, inputs, dims))).toBeLessThan(1e-5);
      const { module } = readModelGraph(readModel(path), new Map(Object.entries(dims))).fused;
      const heads = opsOf(module)
        .filter((op) => op.name === "attention")
        .map(({ operands }) => module.values[operands[0]!]!.type.shape[1]);
      expect(heads).toEqual([3, 3]);
    });
  });
});

it("recognizes heads that a framework's own code merged", () => {
  for (const groups of [8, 4]) {
    const bytes = attentionModel({ ...spec, groups, merged: 2 });
    const { module } = readModelGraph(decodeModel(bytes, "merged.onnx"), new Map()).fused;
    const found = opsOf(module).filter((op) => op.name === "attention");
    expect(found.map(({ operands }) => operands.slice(0, 3).map((id) => module.values[id]!.type.shape))).toEqual([
      [
        [1, 4, 5, 8],
        [1, groups / 2, 5, 8],
        [1, groups / 2, 5, 8],
      ],
      [
        [1, 4, 5, 8],
        [1, groups / 2, 5, 8],
        [1, groups / 2, 5, 8],
      ],
    ]);
    expect(opsOf(module).filter((op) => ["softmax", "expand", "neg", "concat"].includes(op.name))).toEqual([]);
    expect(opsOf(module).filter((op) => op.name === "rope")).toHaveLength(4);
  }
});

it("refuses heads that cannot be changed", () => {
  const change = (bytes: Uint8Array, heads: Parameters<typeof studentAt>[1]["heads"]) => (): void => {
    const path = join(dir, "refused.onnx");
    writeFileSync(path, bytes);
    studentAt(join(dir, "never.onnx"), { model: path, ...(heads && { heads }) });
  };
  // Two query heads of one key head would become one.
  expect(codesOf(change(attentionModel({ ...spec, groups: 2 }), { what: "merge", size: 4 }))).toEqual([
    "MRL0680",
    "MRL0680",
  ]);
  expect(codesOf(change(attentionModel({ ...spec, layers: 0 }), { what: "merge", size: 2 }))).toEqual(["MRL0681"]);
});
