import onnxProto from "onnx-proto";
import { fail, throwIfAny } from "../../../ir/diagnostic.ts";
import { duplicates } from "../../tensors/files/index.ts";
import { decodeGraph } from "./decode-graph.ts";
import { decodeTensor, type Problems, report } from "./decode-tensor.ts";
import { checkExternalRanges } from "./external-ranges.ts";
import { orderGraph } from "./order.ts";
import type { OnnxModel, OnnxTensor } from "./records.ts";
import { type WireMessage, walkWire } from "./wire.ts";

const { onnx } = onnxProto;

/** IR 3 (2017) brought opset_import; 13 is ONNX 1.20's. */
const irVersions = { first: 3, last: 13 } as const;

/** Decodes and checks a model as it is in the file; everything wrong with it is in one DiagnosticError. */
export function decodeModel(bytes: Uint8Array, file: string): OnnxModel {
  const wire = walkWire(bytes, file);
  const problems: Problems = { file, list: [] };
  checkHeader(wire, problems);
  throwIfAny(problems.list);
  const message = decodeWith(() => onnx.ModelProto.decode(bytes), file);
  const decoded = decodeGraph(message.graph ?? {}, wire.children.get("graph")![0]!, problems, "");
  throwIfAny(problems.list);
  checkExternalRanges(decoded, problems);
  const { graph } = orderGraph(decoded, undefined, problems, "");
  throwIfAny(problems.list);
  return {
    file,
    irVersion: Number(wire.scalars.get("ir_version")),
    opsets: opsetsOf(wire),
    producer: [message.producerName, message.producerVersion].filter(Boolean).join(" "),
    metadata: wire.metadata,
    graph,
  };
}

/** A file that holds one TensorProto, as ONNX test data does. */
export function decodeTensorFile(bytes: Uint8Array, file: string): OnnxTensor {
  walkWire(bytes, file, "Tensor");
  const problems: Problems = { file, list: [] };
  const tensor = decodeTensor(
    decodeWith(() => onnx.TensorProto.decode(bytes), file),
    problems,
    "",
  );
  throwIfAny(problems.list);
  if (tensor?.source.kind !== "inline") {
    fail({ code: "MRL0117", message: "the data of a tensor file must be in the file itself", at: file });
  }
  return tensor;
}

/** The walker has seen every byte; what protobufjs still refuses is told like the rest. */
function decodeWith<T>(decode: () => T, file: string): T {
  try {
    return decode();
  } catch (error) {
    const message = `this is not a well-formed ONNX file: ${(error as Error).message}`;
    return fail({ code: "MRL0105", message, at: file });
  }
}

function opsetsOf(wire: WireMessage): Map<string, number> {
  const imports = wire.children.get("opset_import") ?? [];
  return new Map(imports.map((entry) => [domainOf(entry), Number(entry.scalars.get("version") ?? 0n)]));
}

function domainOf(entry: WireMessage): string {
  const domain = entry.strings.get("domain") ?? "";
  return domain === "ai.onnx" ? "" : domain;
}

function checkHeader(wire: WireMessage, problems: Problems): void {
  const version = wire.scalars.get("ir_version");
  const graph = wire.children.get("graph");
  if (!graph || version === undefined) {
    const missing = [graph ? "" : "a graph", version === undefined ? "ir_version" : ""].filter(Boolean).join(" and ");
    report(problems, "MRL0104", "", `this is not an ONNX model: ${missing} is missing`);
    return;
  }
  if (version < irVersions.first || version > irVersions.last) {
    const expected = `${irVersions.first} to ${irVersions.last}`;
    const help = "export it again with a current version of the exporter, or an older --opset";
    report(problems, "MRL0108", "", `the file has IR version ${version}; the compiler reads ${expected}`, help);
  }
  const imports = wire.children.get("opset_import") ?? [];
  if (imports.length === 0) report(problems, "MRL0108", "", "the file imports no operator set");
  for (const entry of imports) {
    const opset = entry.scalars.get("version") ?? 0n;
    if (opset < 1n || opset > 2n ** 31n) {
      report(problems, "MRL0108", "", `operator set "${domainOf(entry)}" has version ${opset}`);
    }
  }
  for (const domain of duplicates(imports.map(domainOf))) {
    report(problems, "MRL0111", "", `operator set "${domain}" is imported twice`);
  }
  const functions = wire.children.get("functions") ?? [];
  if (functions.length > 0) {
    const names = functions.slice(0, 5).map((entry) => `${entry.strings.get("domain")}.${entry.strings.get("name")}`);
    const help = "inline them first: onnx.inliner.inline_local_functions, or export with optimize=True";
    const message = `the model defines ${functions.length} functions of its own (${names.join(", ")})`;
    report(problems, "MRL0110", "", message, help);
  }
}
