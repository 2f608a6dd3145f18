import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { deriveDecodeStep } from "../../../compiler/decode/decode-step.ts";
import { exportDecodeGraph, firstUnsupportedOp } from "../../../compiler/decode/export-decode-graph.ts";
import type { ClientDecodeManifest } from "../../../compiler/run/client-layers-cached.ts";
import { openCachedLayers } from "../../../compiler/run/client-layers-cached.ts";
import type { TypedTensor } from "../../../compiler/tensors/npy.ts";
import { interpret } from "../../../ir/interpret.ts";
import type { Attrs } from "../../../ir/module.ts";
import type { Tensor } from "../../../ir/tensor.ts";
import { decoder, length, prompt, rows, width } from "../../passes/decoder-model.ts";
import { createNoise, type Kit, type Model, model } from "../../passes/models.ts";

/*
 * A program for one position as an ONNX graph for any number: onnxruntime computes the window, and then row by row from
 * its cache, what the interpreter computes over the window.
 */
const dir = mkdtempSync(join(tmpdir(), "marillc-places-"));
afterAll(() => rmSync(dir, { recursive: true }));

const x = createNoise(5)([1, length, width], 2);
const given = (tensor: Tensor): ReadonlyMap<string, TypedTensor> => new Map([["x", { dtype: "float32", tensor }]]);

async function opened({ module, weights }: Model) {
  const one = deriveDecodeStep({ module }, { contextLength: length, cacheType: { label: "client" } });
  if ("code" in one) throw new Error(one.message);
  expect(firstUnsupportedOp(one.state.module)).toBeUndefined();
  const { bytes, cached } = exportDecodeGraph(
    { module: one.state.module, weights, axes: one.axes, nameOf: (id) => id },
    "public-step",
  );
  writeFileSync(join(dir, "public-step.onnx"), bytes);
  const clear: ClientDecodeManifest = { places: "marillc.positions", kept: cached };
  const [output] = module.outputs as [string];
  const layers = await openCachedLayers(dir, clear);
  const run = async (program: number, place: number): Promise<Tensor> => {
    const [span, keep] = program === 0 ? [[0, length] as const, place] : [[place, place + 1] as const, place + 1];
    return (await layers.runBefore(given(x), span, keep, new Map())).get(output)!.tensor;
  };
  const expected = interpret(module, weights, new Map([["x", x]])).get(output)!;
  return { run, expected, kept: cached, axis: one.axes.get(output)!, release: layers.release };
}

function close(found: Tensor, expected: Tensor): void {
  expect(found.shape).toEqual(expected.shape);
  for (const [at, value] of found.data.entries()) {
    const wanted = expected.data[at]!;
    expect(Math.abs(value - wanted)).toBeLessThan(1e-5 * (1 + Math.abs(wanted)));
  }
}

describe("a decoder with rotary and learned positions and grouped keys", () => {
  it("gives the window, and each position after the prompt from earlier keys and values", async () => {
    const { run, expected, kept, axis, release } = await opened(decoder());
    expect(kept).toHaveLength(4);
    close(await run(0, prompt), expected);
    for (let place = prompt; place < length; place++) {
      close(await run(1, place), rows(expected, axis, place, place + 1));
    }
    // Another text begins with a window.
    close(await run(0, 1), expected);
    close(await run(1, 1), rows(expected, axis, 1, 2));
    await release();
  });

  it("has no row for a position whose earlier ones are not kept", async () => {
    const { run, release } = await opened(decoder());
    await expect(run(1, 1)).rejects.toThrow("found 0");
    await run(0, prompt);
    await expect(run(1, prompt + 1)).rejects.toThrow(`found ${prompt}`);
    await release();
  });
});

type Chain = (kit: Kit, x: string) => string;
const one =
  (name: string, attrs: Attrs = {}): Chain =>
  ({ op }, from) =>
    op(name, [from], attrs);
const positive: Chain = ({ op, weight, noise }, from) =>
  op("add", [op("square", [from]), weight("half", "public", { shape: [1], data: noise([1]).data.map(() => 0.5) })]);
const after =
  (first: Chain, second: Chain): Chain =>
  (kit, from) =>
    second(kit, first(kit, from));
const table: Chain = ({ weight, noise }) => weight("table", "public", noise([1, length, width]));
const withTable =
  (name: string, attrs: Attrs = {}): Chain =>
  (kit, from) =>
    kit.op(name, [from, table(kit, from)], attrs);
const cast = (to: string): Chain => one("cast", { to });

/** One chain for each form with more than one node, and for some with one. */
const chains: Readonly<Record<string, Chain>> = {
  "elementwise of one": after(positive, (kit, y) =>
    ["sqrt", "exp", "log", "erf", "sin", "cos", "tanh", "sigmoid", "relu", "neg", "abs", "silu", "reciprocal"].reduce(
      (sum, name) => kit.op("add", [sum, kit.op(name, [y])]),
      y,
    ),
  ),
  "rounding and signs": (kit, from) =>
    ["floor", "ceil", "sign"].reduce((sum, name) => kit.op("add", [sum, kit.op(name, [from])]), from),
  rsqrt: after(positive, one("rsqrt")),
  "clip above": one("clip", { hi: 0.5 }),
  "clip both": one("clip", { lo: -0.5, hi: 0.5 }),
  gelu: one("gelu"),
  "gelu by tanh": one("gelu", { approximate: "tanh" }),
  "layer norm": one("layer-norm", { epsilon: 1e-5 }),
  softmax: one("softmax", { axis: -1 }),
  "rows of a table of positions": withTable("sub"),
  maximum: withTable("maximum"),
  minimum: withTable("minimum"),
  concat: withTable("concat", { axis: 2 }),
  compare: after(withTable("compare", { kind: "less-or-equal" }), cast("f32")),
  logic: (kit, from) => {
    const [less, more] = ["less", "greater"].map((kind) => kit.op("compare", [from, table(kit, from)], { kind }));
    const either = kit.op("logic", [less!, kit.op("not", [more!])], { kind: "or" });
    return kit.op("where", [either, from, kit.op("neg", [from])]);
  },
  "cast to integers": after(cast("i64"), cast("f32")),
  "sum over the features": one("reduce-sum", { axes: [2], keepdims: true }),
  "mean over the features": one("reduce-mean", { axes: [2], keepdims: false }),
  "most of the features": one("reduce-max", { axes: [2], keepdims: true }),
  argmax: after(one("argmax", { axis: 2, keepdims: true }), cast("f32")),
  "slice of features": one("slice", { starts: [0, 0, 1], ends: [1, length, width], steps: [1, 1, 2] }),
  "slice backwards": one("slice", { starts: [0, 0, width - 1], ends: [1, length, -1], steps: [1, 1, -1] }),
  "reshape and transpose": after(
    one("reshape", { shape: [1, length, 2, width / 2] }),
    one("transpose", { perm: [0, 2, 1, 3] }),
  ),
  expand: after(one("reshape", { shape: [1, length, 1, width] }), one("expand", { shape: [1, length, 3, width] })),
};

it("sees no more keys than a sliding window has", async () => {
  const made = model((kit) => {
    const side = (id: string): string => {
      const dense = kit.op("matmul", [x0, kit.weight(id, "public", kit.noise([width, width]))]);
      return kit.op("transpose", [kit.op("reshape", [dense], { shape: [1, length, 2, width / 2] })], {
        perm: [0, 2, 1, 3],
      });
    };
    const x0 = kit.feature("x", [1, length, width]);
    return [kit.op("attention", [side("q"), side("k"), side("v")], { scale: 0.5, causal: true, window: 2 })];
  });
  const { run, expected, axis, release } = await opened(made);
  close(await run(0, 2), expected);
  for (const place of [2, 3, 4, 5]) close(await run(1, place), rows(expected, axis, place, place + 1));
  await release();
});

describe("every ONNX form, at one position and over the window", () => {
  it.each(Object.entries(chains))("%s", async (_, chain) => {
    const made = model((kit) => [chain(kit, kit.feature("x", [1, length, width]))]);
    const { run, expected, axis, release } = await opened(made);
    close(await run(0, 2), expected);
    for (const place of [2, 3]) close(await run(1, place), rows(expected, axis, place, place + 1));
    await release();
  });
});
