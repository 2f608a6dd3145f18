import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { onnx as proto } from "onnx-proto";
import { expect, it } from "vitest";
import type { ModelOptions } from "../../../compiler/api/model-options.ts";
import { readInputFiles } from "../../../compiler/run/input-files.ts";
import { openOnnxSession } from "../../../compiler/run/onnx-session.ts";
import { runPlain } from "../../../compiler/run/plain.ts";
import { writeNpz } from "../../../compiler/tensors/npz.ts";
import { tensor } from "../../../ir/tensor.ts";
import { sizeOf } from "../../../ir/type.ts";
import { declaredError } from "../../../scripts/tables/declared-error.ts";
import { build, queryOnce } from "../../end-to-end/compiled.ts";
import { largestDifference } from "../../end-to-end/declared-error.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { floatInfo, modelBytes, node } from "../onnx/format/build-model.ts";
import { countOps } from "../onnx/import/recorded.ts";
import { type Attribute, attribute } from "../operators/one-node.ts";

export interface WrittenInput {
  readonly shape: readonly number[];
  /** Values by the number of the sample. Default: in ±most. */
  readonly draw?: (seed: number) => readonly number[];
  readonly most?: number;
  readonly dtype?: "float32" | "int64";
}

export interface WrittenWeight {
  readonly shape: readonly number[];
  /** Default: drawn in ±1. */
  readonly values?: readonly number[];
  readonly dtype?: "float32" | "int64";
}

type WrittenNode = readonly [
  op: string,
  inputs: readonly string[],
  output: string,
  attrs?: Readonly<Record<string, Attribute>>,
];

/** A model as its author writes it, with the result y. */
export interface Written {
  readonly inputs: Readonly<Record<string, WrittenInput>>;
  readonly weights: Readonly<Record<string, WrittenWeight>>;
  readonly nodes: readonly WrittenNode[];
  readonly opset?: number;
  readonly options?: Partial<ModelOptions>;
  /** Operators of the secure part, with their counts. */
  readonly ops?: Readonly<Record<string, number>>;
  /** Largest error beside ONNX Runtime's answer, as a part of its largest value. Default: 1/64. */
  readonly relative?: number;
}

const elemTypes = { float32: 1, int64: 7 } as const;

export function writtenModel({ inputs, weights, nodes, opset = 17 }: Written): Uint8Array {
  const graph: proto.IGraphProto = {
    name: "written",
    initializer: Object.entries(weights).map(([name, { shape, values, dtype = "float32" }], at) => {
      const data = [...(values ?? numbers(sizeOf(shape), 31 + at, 1))];
      const stored = dtype === "int64" ? { int64Data: data } : { floatData: data };
      return { name, dims: [...shape], dataType: elemTypes[dtype], ...stored };
    }),
    input: Object.entries(inputs).map(([name, { shape, dtype = "float32" }]) => {
      const info = floatInfo(name, ...shape);
      return { ...info, type: { tensorType: { ...info.type!.tensorType, elemType: elemTypes[dtype] } } };
    }),
    output: [{ name: "y" }],
    node: nodes.map(([op, from, to, attrs = {}], at) => ({
      ...node(op, [...from], [to], `/${at}/${op}`),
      attribute: Object.entries(attrs).map(attribute),
    })),
  };
  return modelBytes(graph, { irVersion: 8, opsetImport: [{ domain: "", version: opset }] });
}

function writeSample(file: string, inputs: Written["inputs"], seed: number): string {
  const drawn = Object.entries(inputs).map(([name, { shape, draw, most = 1, dtype = "float32" }], at) => {
    const values = draw?.(seed) ?? numbers(sizeOf(shape), 100 * seed + at, most);
    return [name, { dtype, tensor: tensor(shape, values) }] as const;
  });
  writeFileSync(file, writeNpz(new Map(drawn)));
  return file;
}

/** The model, its calibration inputs, and an input of its own, as files. */
export function writeFiles(dir: string, name: string, written: Written) {
  const at = join(dir, name.replaceAll(/[^\w]+/g, "-"));
  const calibrate = join(at, "calib");
  mkdirSync(calibrate, { recursive: true });
  const model = join(at, "model.onnx");
  writeFileSync(model, writtenModel(written));
  for (const seed of [2, 3, 4, 5, 6, 7]) writeSample(join(calibrate, `${seed}.npz`), written.inputs, seed);
  return { at, model, calibrate, input: writeSample(join(at, "input.npz"), written.inputs, 9) };
}

/**
 * Compiles each model with every weight private, and asks three parties: they say what ONNX Runtime and the interpreter
 * say, within the error that the build declares and within a part of the largest value.
 */
export function checkWritten(dir: string, all: Readonly<Record<string, Written>>): void {
  it.each(Object.entries(all))("%s", async (name, written) => {
    const { at, model, calibrate, input } = writeFiles(dir, name, written);
    const session = await openOnnxSession(model);
    const exact = (await session.run(readInputFiles([input]))).get("y")!.tensor;
    await session.release();
    const out = join(at, "build");
    const { module } = build(out, {
      model,
      base: model,
      private: ["*"],
      reveal: { y: "client" },
      calibrate,
      ...written.options,
    });
    for (const [op, count] of Object.entries(written.ops ?? {})) expect(countOps({ module })[op] ?? 0, op).toBe(count);
    const { outputs, report } = await queryOnce(out, [input]);
    const found = outputs.get("y")!;
    expect(found.shape).toEqual(exact.shape);
    const most = Math.max(...exact.data.map(Math.abs));
    const bound = await declaredError(out, input);
    const error = largestDifference(found.data, exact.data);
    expect(error).toBeLessThanOrEqual(bound);
    expect(error).toBeLessThanOrEqual(most * (written.relative ?? 1 / 64));
    const plain = (await runPlain(out, readInputFiles([input]))).outputs.get("y")!.tensor;
    expect(largestDifference(found.data, plain.data)).toBeLessThanOrEqual(bound);
    expect(report.measured).toEqual(report.predicted);
  });
}
