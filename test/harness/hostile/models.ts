import onnxProto, { type onnx as proto } from "onnx-proto";
import { floatInfo, floatTensor, modelBytes, node } from "../../compiler/onnx/format/build-model.ts";
import type { HostileCase } from "./cases.ts";

const { onnx } = onnxProto;
export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** x[1, 4] · w[4, 4] → relu → y: `changes` may replace every part. */
export function graph(changes: proto.IGraphProto = {}): proto.IGraphProto {
  return {
    name: "g",
    initializer: [
      floatTensor(
        "layer.weight",
        [4, 4],
        Array.from({ length: 16 }, (_, at) => 0.25 + at / 64),
      ),
    ],
    input: [floatInfo("x", 1, 4)],
    output: [floatInfo("y", 1, 4)],
    node: [node("MatMul", ["x", "layer.weight"], ["h"], "product"), node("Relu", ["h"], ["y"], "relu")],
    ...changes,
  };
}

export const model = (changes: proto.IGraphProto = {}, extra: proto.IModelProto = {}): Uint8Array =>
  modelBytes(graph(changes), extra);

export function onnxCase(name: string, bytes: () => Uint8Array, valid?: true): HostileCase {
  return { name, files: () => ({ "model.onnx": bytes() }), ...(valid && { valid }) };
}

export const graphCase = (name: string, changes: () => proto.IGraphProto, valid?: true): HostileCase =>
  onnxCase(name, () => model(changes()), valid);

export type Value = number | readonly number[] | string | { readonly float: number } | proto.IGraphProto;

export function attribute(name: string, value: Value): proto.IAttributeProto {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: text(value) };
  if (Array.isArray(value)) return { name, type: 7, ints: value as number[] };
  if ("float" in value) return { name, type: 1, f: value.float };
  return { name, type: 5, g: value as proto.IGraphProto };
}

export const withAttributes = (
  made: proto.INodeProto,
  attributes: Readonly<Record<string, Value>>,
): proto.INodeProto => ({
  ...made,
  attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
});

export const integers = (name: string, ...values: number[]): proto.ITensorProto => {
  return { name, dims: [values.length], dataType: 7, int64Data: values };
};
export const single = (name: string, value: number): proto.ITensorProto => {
  return { name, dims: [], dataType: 7, int64Data: [value] };
};

/** A tensor field by field, through the encoder: it checks nothing. */
export const withTensor = (fields: proto.ITensorProto): proto.IGraphProto => ({
  initializer: [{ name: "layer.weight", ...fields }],
});

/** Start of each field of a file, in nested messages too. */
export function fieldStarts(bytes: Uint8Array): readonly number[] {
  const starts: number[] = [];
  const varint = (at: number): readonly [number, number] => {
    let [value, shift] = [0, 1];
    for (let position = at; ; position++) {
      const byte = bytes[position]!;
      value += (byte & 0x7f) * shift;
      shift *= 128;
      if (byte < 0x80) return [value, position + 1];
    }
  };
  const visit = (from: number, end: number, messages: readonly number[][]): void => {
    for (let at = from; at < end; ) {
      starts.push(at);
      const [tag, behind] = varint(at);
      if ((tag & 7) === 0) at = varint(behind)[1];
      else if ((tag & 7) === 5) at = behind + 4;
      else if ((tag & 7) === 1) at = behind + 8;
      else {
        const [length, begin] = varint(behind);
        const inner = messages[0]?.includes(tag >> 3);
        if (inner) visit(begin, begin + length, messages.slice(1));
        at = begin + length;
      }
    }
  };
  // graph or opset_import; node, initializer, input or output; attribute or type; what is in those.
  visit(0, bytes.length, [
    [7, 8],
    [1, 5, 11, 12],
    [2, 5],
    [1, 2],
  ]);
  return starts;
}

export const encoded = (message: proto.IModelProto): Uint8Array =>
  onnx.ModelProto.encode(onnx.ModelProto.create(message)).finish();

/** A length-delimited field around bytes. */
export function wrapped(number: number, inner: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = inner.length;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) length.push((rest & 0x7f) | 0x80);
  return Uint8Array.from(Buffer.concat([Uint8Array.of((number << 3) | 2, ...length, rest), inner]));
}
