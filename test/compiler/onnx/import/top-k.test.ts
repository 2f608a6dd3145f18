import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { decodeModel } from "../../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../../compiler/onnx/import/import-model.ts";
import { openOnnxSession } from "../../../../compiler/run/onnx-session.ts";
import { opsOf } from "../../../../ir/module.ts";
import { tensor } from "../../../../ir/tensor.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { numbers } from "../../../end-to-end/tiny-model.ts";
import { codesOf, floatInfo, modelBytes, node } from "../format/build-model.ts";
import { runImported } from "./recorded.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-top-k-"));
afterAll(() => rmSync(dir, { recursive: true }));

interface Case {
  readonly shape: readonly number[];
  readonly k: number;
  readonly attrs?: Readonly<Record<string, number>>;
}

const modelOf = ({ shape, k, attrs = {} }: Case): Uint8Array =>
  modelBytes({
    name: "one",
    initializer: [{ name: "k", dims: [1], dataType: 7, int64Data: [k] }],
    input: [floatInfo("x", ...shape)],
    output: [
      { ...floatInfo("values"), type: { tensorType: { elemType: 1 } } },
      { ...floatInfo("places"), type: { tensorType: { elemType: 7 } } },
    ],
    node: [
      {
        ...node("TopK", ["x", "k"], ["values", "places"]),
        attribute: Object.entries(attrs).map(([name, i]) => ({ name, type: 2, i })),
      },
    ],
  });

/** Quarters: many are equal. */
const draw = (shape: readonly number[], seed: number) =>
  tensor(
    shape,
    numbers(sizeOf(shape), seed, 8).map((v) => Math.round(v * 4) / 4),
  );

const cases: readonly Case[] = [
  { shape: [7], k: 3 },
  { shape: [3, 9], k: 9 },
  { shape: [4, 6, 5], k: 2, attrs: { axis: 1, largest: 0 } },
  { shape: [2, 5], k: 1, attrs: { axis: 0 } },
  // In groups: of 32 with a remainder, in two levels, along a middle axis, and of 48.
  { shape: [2, 75], k: 3 },
  { shape: [1, 700], k: 5, attrs: { largest: 0 } },
  { shape: [2, 70, 3], k: 4, attrs: { axis: 1 } },
  { shape: [2, 100], k: 12 },
];

it.each(cases)("TopK of $shape, k = $k, $attrs: values and indices equal onnxruntime's", async (each) => {
  const file = join(dir, "one.onnx");
  const bytes = modelOf(each);
  writeFileSync(file, bytes);
  const part = await openOnnxSession(file);
  const imported = importModel(decodeModel(bytes, file));
  for (const seed of [3, 4]) {
    const x = draw(each.shape, seed);
    const expected = await part.run(new Map([["x", { dtype: "float32", tensor: x }]]));
    const found = runImported(imported, new Map([["x", x]]));
    for (const name of ["values", "places"]) {
      expect(found.get(name)!.shape).toEqual(expected.get(name)!.tensor.shape);
      expect([...found.get(name)!.data]).toEqual([...expected.get(name)!.tensor.data]);
    }
  }
  await part.release();
});

it("ranks long rows in groups, and refuses more than the row has", () => {
  const ranks = ({ shape, k }: Case): readonly (readonly number[])[] => {
    const { module } = importModel(decodeModel(modelOf({ shape, k }), "one.onnx"));
    return opsOf(module).flatMap(({ name, result }) => (name === "rank" ? [module.values[result]!.type.shape] : []));
  };
  expect(ranks({ shape: [2, 75], k: 3 })).toEqual([
    [2, 2, 32],
    [2, 1, 11],
    [2, 9],
  ]);
  expect(codesOf(() => importModel(decodeModel(modelOf({ shape: [4], k: 5 }), "one.onnx")))).toEqual(["MRL0404"]);
});
