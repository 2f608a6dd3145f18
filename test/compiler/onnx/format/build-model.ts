import onnxProto, { type onnx as proto } from "onnx-proto";
import { DiagnosticError } from "../../../../ir/diagnostic.ts";

const { onnx } = onnxProto;

/** A model with sane defaults around the given graph. */
export function modelBytes(graph: proto.IGraphProto, extra: proto.IModelProto = {}): Uint8Array {
  const model = { irVersion: 8, opsetImport: [{ domain: "", version: 17 }], graph, ...extra };
  return onnx.ModelProto.encode(onnx.ModelProto.create(model)).finish();
}

export function floatInfo(name: string, ...dims: number[]): proto.IValueInfoProto {
  return { name, type: { tensorType: { elemType: 1, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } } };
}

export function floatTensor(name: string, dims: number[], values: number[]): proto.ITensorProto {
  return { name, dims, dataType: 1, floatData: values };
}

export function node(opType: string, input: string[], output: string[], name = ""): proto.INodeProto {
  return { opType, input, output, name };
}

/** x[2] + w[2] -> y, with a nested If, so that a small file has a little of everything. */
export function smallModel(): Uint8Array {
  const branch = (value: number): proto.IGraphProto => ({
    name: "branch",
    initializer: [floatTensor(`b${value}`, [2], [value, value])],
    node: [node("Add", ["s", `b${value}`], [`r${value}`])],
    output: [floatInfo(`r${value}`, 2)],
  });
  return modelBytes({
    name: "small",
    initializer: [floatTensor("w", [2], [1, 2]), { name: "c", dims: [], dataType: 9, int32Data: [1] }],
    input: [floatInfo("x", 2)],
    output: [floatInfo("y", 2)],
    valueInfo: [floatInfo("s", 2)],
    node: [
      node("Add", ["x", "w"], ["s"], "add"),
      {
        ...node("If", ["c"], ["y"], "if"),
        attribute: [
          { name: "then_branch", type: 5, g: branch(1) },
          { name: "else_branch", type: 5, g: branch(2) },
        ],
      },
    ],
  });
}

/** The codes of the diagnostics that `run` throws; none when it returns. Any other error is rethrown. */
export function codesOf(run: () => unknown): string[] {
  try {
    run();
    return [];
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return error.diagnostics.map((diagnostic) => diagnostic.code);
  }
}
