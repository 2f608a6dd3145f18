import type { onnx as proto } from "onnx-proto";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { expect, it } from "vitest";
import { decodeModel } from "../../../compiler/onnx/format/decode-model.ts";
import { importModel } from "../../../compiler/onnx/import/import-model.ts";
import { dequantizeInitializers } from "../../../compiler/onnx/normalize/dequantize-initializers.ts";
import { expandMlOperators } from "../../../compiler/onnx/normalize/ml/expand-ml-operators.ts";
import { type Tensor, tensor } from "../../../ir/tensor.ts";
import { sizeOf } from "../../../ir/type.ts";
import { verify } from "../../../ir/verify.ts";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { modelBytes, node } from "../onnx/format/build-model.ts";
import { runImported, worst } from "../onnx/import/recorded.ts";

export type Attribute =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly graph: proto.IGraphProto };

/** A numeric list is one of integers; what must be real is written as { float } or { floats }. */
export function attribute([name, value]: readonly [string, Attribute]): proto.IAttributeProto {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: Buffer.from(value) };
  if ("float" in value) return { name, type: 1, f: value.float };
  if ("floats" in value) return { name, type: 6, floats: [...value.floats] };
  if ("graph" in value) return { name, type: 5, g: value.graph };
  const texts = value.filter((each) => typeof each === "string");
  if (texts.length > 0) return { name, type: 8, strings: texts.map((text) => Buffer.from(text)) };
  return { name, type: 7, ints: value as number[] };
}

const dtypes = {
  float32: 1,
  int64: 7,
  int32: 6,
  uint8: 2,
  bool: 9,
  int8: 3,
  int16: 5,
  uint16: 4,
  /** Stored in the model, two in a byte. */
  uint4: 21,
  int4: 22,
  /** Stored in the model, as codes. */
  float8e4m3fn: 17,
} as const;
type Dtype = keyof typeof dtypes;

/** What int32_data has for elements of a type. */
function storedElements(dtype: Dtype, data: Float64Array): number[] {
  if (dtype !== "int4" && dtype !== "uint4") return [...data];
  const codes = [...data].map((value) => (value + 16) % 16);
  return Array.from({ length: Math.ceil(codes.length / 2) }, (_, at) => codes[2 * at]! + 16 * (codes[2 * at + 1] ?? 0));
}

/** An input of the node: secret, of this shape, with values in ±most; or with these values, secret or `known`. */
export interface In {
  readonly shape: readonly number[];
  readonly values?: readonly number[];
  /** Stored in the model, as exporters store axes, shapes and the like. */
  readonly known?: true;
  readonly dtype?: Dtype;
  readonly most?: number;
}

export const of = (...shape: number[]): In => ({ shape });
export const positive = (...shape: number[]): In => ({
  shape,
  values: numbers(sizeOf(shape), 3, 1).map((x) => Math.abs(x) + 0.125),
});
export const ints = (...values: number[]): In => ({ shape: [values.length], values, known: true, dtype: "int64" });
export const floats = (...values: number[]): In => ({ shape: [values.length], values, known: true });
export const int = (value: number): In => ({ shape: [], values: [value], known: true, dtype: "int64" });
export const float = (value: number): In => ({ shape: [], values: [value], known: true });

export interface Case {
  readonly op: string;
  /** undefined: an optional input that is left out. */
  readonly inputs: readonly (In | undefined)[];
  readonly attrs?: Readonly<Record<string, Attribute>>;
  readonly opset?: number;
  /** The requested output of the node; default: the first. */
  readonly outputs?: readonly boolean[];
  readonly domain?: string;
  readonly tolerance?: number;
  /** The inputs are shared, like values after private weights; default: the client's. */
  readonly shared?: true;
}

interface Made {
  readonly bytes: Uint8Array;
  readonly given: ReadonlyMap<string, { readonly tensor: Tensor; readonly dtype: Dtype }>;
}

function make({ op, inputs, attrs = {}, opset = 20, outputs = [true], domain = "" }: Case): Made {
  const named = inputs.map((input, at) => ({ name: input ? `onnx::${op}_${at}` : "", input }));
  const present = named.flatMap(({ name, input }, at) => {
    if (!input) return [];
    const values = input.values ?? numbers(sizeOf(input.shape), 5 + at, input.most ?? 2);
    return [{ name, input, dtype: input.dtype ?? ("float32" as const), tensor: tensor(input.shape, values) }];
  });
  const info = (name: string, elemType: number, shape?: readonly number[]): proto.IValueInfoProto => ({
    name,
    type: { tensorType: { elemType, ...(shape && { shape: { dim: shape.map((dimValue) => ({ dimValue })) } }) } },
  });
  const names = outputs.map((asked, at) => (asked ? `y${at}` : ""));
  const graph: proto.IGraphProto = {
    name: "one",
    initializer: present
      .filter(({ input }) => input.known)
      .map(({ name, dtype, tensor: { shape, data } }) => ({
        name,
        dims: [...shape],
        dataType: dtypes[dtype],
        ...(dtype === "float32" && { floatData: [...data] }),
        ...(dtype === "int64" && { int64Data: [...data] }),
        ...(dtype !== "float32" && dtype !== "int64" && { int32Data: storedElements(dtype, data) }),
      })),
    input: present
      .filter(({ input }) => !input.known)
      .map(({ name, dtype, input }) => info(name, dtypes[dtype], input.shape)),
    // Without types: the runtime infers them.
    output: names.filter(Boolean).map((name) => ({ name })),
    node: [
      {
        ...node(
          op,
          named.map(({ name }) => name),
          names,
          `/m/${op}`,
        ),
        domain,
        attribute: Object.entries(attrs).map(attribute),
      },
    ],
  };
  const opsets = [
    { domain: "", version: opset },
    { domain: "com.microsoft", version: 1 },
    { domain: "ai.onnx.ml", version: 3 },
  ];
  return {
    bytes: modelBytes(graph, { irVersion: 9, opsetImport: opsets }),
    given: new Map(present.filter(({ input }) => !input.known).map((each) => [each.name, each])),
  };
}

async function reference({ bytes, given }: Made): Promise<ReadonlyMap<string, Tensor>> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const feeds = [...given].map(
    ([
      name,
      {
        tensor: { shape, data },
        dtype,
      },
    ]) => {
      const contents =
        dtype === "int64"
          ? BigInt64Array.from(data, (x) => BigInt(x))
          : dtype === "float32"
            ? Float32Array.from(data)
            : [...data];
      return [name, new OrtTensor(dtype as "float32", contents as Float32Array, [...shape])] as const;
    },
  );
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return new Map(
    Object.entries(results).map(([name, { dims, data }]) => [
      name,
      tensor(dims, Float64Array.from(data as ArrayLike<number | bigint>, Number)),
    ]),
  );
}

export function imported(each: Case) {
  const { bytes, given } = make(each);
  const inputs = new Map([...given.keys()].map((name) => [name, "shared"] as const));
  return importModel(
    dequantizeInitializers(expandMlOperators(decodeModel(bytes, "one.onnx"))),
    each.shared ? { inputs } : {},
  );
}

function titleOf({ op, inputs, attrs = {}, opset }: Case): string {
  const shapes = inputs.map((input) => (input ? `[${input.shape}]` : "-")).join(" ");
  return `${op}${opset ? `-${opset}` : ""} of ${shapes} ${JSON.stringify(attrs).slice(0, 120)}`;
}

/** Each case as ONNX Runtime computes it, in float32. */
export function agreesWithRuntime(cases: readonly Case[]): void {
  const titled = cases.map((each) => [titleOf(each), each] as const);
  it.each(titled)("%s equals onnxruntime's result", async (_title, each) => {
    const made = make(each);
    const expected = await reference(made);
    const model = imported(each);
    expect(verify(model.module)).toEqual([]);
    const found = runImported(model, new Map([...made.given].map(([name, given]) => [name, given.tensor])));
    for (const [name, wanted] of expected) {
      expect(worst(found.get(name)!, wanted), name).toBeLessThan(each.tolerance ?? 1e-5);
    }
  });
}

/** The first output of a case on these inputs, by input index, in real numbers. */
export function resultOf(each: Case, inputs: ReadonlyMap<number, Tensor>): Tensor {
  const byName = new Map([...inputs].map(([place, given]) => [`onnx::${each.op}_${place}`, given]));
  return runImported(imported(each), byName).get("y0")!;
}

/** Numbers in ±2. */
export const drawn = (shape: readonly number[], seed: number): Tensor => tensor(shape, numbers(sizeOf(shape), seed, 2));
