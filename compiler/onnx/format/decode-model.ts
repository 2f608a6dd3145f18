import onnxProto from "onnx-proto";
import { fail } from "../../../ir/diagnostic.ts";
import { findDuplicates } from "../../tensors/files/index.ts";
import { checkExternalRanges } from "./check-external-ranges.ts";
import { decodeGraph } from "./decode-graph.ts";
import { decodeTensor } from "./decode-tensor.ts";
import type { OnnxModel, OnnxTensor } from "./model-records.ts";
import { orderGraph } from "./order-graph.ts";
import { createProblemCollector, type ProblemSink } from "./problem-sink.ts";
import { type ScannedMessage, scanProtobuf } from "./protobuf-scan.ts";

const { onnx } = onnxProto;

/** IR 3 (2017) introduced opset_import; IR 13 is that of ONNX 1.20. */
const irVersions = { first: 3, last: 13 } as const;

/** Decodes and checks a model as stored. Reports all problems in one DiagnosticError. */
export function decodeModel(bytes: Uint8Array, file: string): OnnxModel {
  const scanned = scanProtobuf(bytes, file);
  const problems = createProblemCollector(file);
  checkHeader(scanned, problems);
  problems.throwIfAny();
  const message = orDiagnostic(() => onnx.ModelProto.decode(bytes), file);
  const decoded = decodeGraph(message.graph ?? {}, scanned.children.get("graph")![0]!, problems, "");
  problems.throwIfAny();
  checkExternalRanges(decoded, problems);
  const { graph } = orderGraph(decoded, undefined, problems, "");
  problems.throwIfAny();
  return {
    file,
    irVersion: Number(scanned.scalars.get("ir_version")),
    opsets: readOpsets(scanned),
    producer: [message.producerName, message.producerVersion].filter(Boolean).join(" "),
    metadata: scanned.metadata,
    graph,
  };
}

/** Decodes a file that holds one TensorProto, as ONNX test data does. */
export function decodeTensorFile(bytes: Uint8Array, file: string): OnnxTensor {
  scanProtobuf(bytes, file, "Tensor");
  const problems = createProblemCollector(file);
  const tensor = decodeTensor(
    orDiagnostic(() => onnx.TensorProto.decode(bytes), file),
    problems,
    "",
  );
  problems.throwIfAny();
  if (tensor?.source.kind !== "inline") {
    fail({ code: "MRL0117", message: "the data of a tensor file must be inline", at: file });
  }
  return tensor;
}

/** The scan has seen every byte; what protobufjs still refuses becomes the same kind of diagnostic. */
function orDiagnostic<T>(decode: () => T, file: string): T {
  try {
    return decode();
  } catch (error) {
    const message = `this is not a well-formed ONNX file: ${(error as Error).message}`;
    return fail({ code: "MRL0105", message, at: file });
  }
}

function readOpsets(scanned: ScannedMessage): Map<string, number> {
  const imports = scanned.children.get("opset_import") ?? [];
  return new Map(imports.map((entry) => [normalizeDomain(entry), Number(entry.scalars.get("version") ?? 0n)]));
}

function normalizeDomain(entry: ScannedMessage): string {
  const domain = entry.strings.get("domain") ?? "";
  return domain === "ai.onnx" ? "" : domain;
}

/** An import that a file repeats is one: skl2onnx does so. Two versions of one set would leave its nodes undefined. */
function checkOpsets(imports: readonly ScannedMessage[], problems: ProblemSink): void {
  for (const domain of new Set(findDuplicates(imports.map(normalizeDomain)))) {
    const own = imports.filter((entry) => normalizeDomain(entry) === domain);
    const versions = [...new Set(own.map((entry) => entry.scalars.get("version") ?? 0n))];
    if (versions.length === 1) continue;
    const set = domain === "" ? "ai.onnx" : domain;
    const message = `the operator set ${set} is imported in the versions ${versions.join(" and ")}`;
    const help = "keep the version that the nodes were written for: one entry of opset_import for each domain";
    problems.report("MRL0111", "", message, help);
  }
}

function checkHeader(scanned: ScannedMessage, problems: ProblemSink): void {
  const version = scanned.scalars.get("ir_version");
  const graph = scanned.children.get("graph");
  if (!graph || version === undefined) {
    const missing = [graph ? "" : "a graph", version === undefined ? "ir_version" : ""].filter(Boolean).join(" and ");
    problems.report("MRL0104", "", `this is not an ONNX model: ${missing} is missing`);
    return;
  }
  if (version < irVersions.first || version > irVersions.last) {
    const expected = `${irVersions.first} to ${irVersions.last}`;
    const help = "export it again with a current version of the exporter, or an older --opset";
    problems.report("MRL0108", "", `expected IR version ${expected}, found ${version}`, help);
  }
  const imports = scanned.children.get("opset_import") ?? [];
  if (imports.length === 0) problems.report("MRL0108", "", "the file imports no operator set");
  for (const entry of imports) {
    const opset = entry.scalars.get("version") ?? 0n;
    if (opset < 1n || opset > 2n ** 31n) {
      problems.report("MRL0108", "", `operator set "${normalizeDomain(entry)}" has version ${opset}`);
    }
  }
  checkOpsets(imports, problems);
  const functions = scanned.children.get("functions") ?? [];
  if (functions.length > 0) {
    const names = functions.slice(0, 5).map((entry) => `${entry.strings.get("domain")}.${entry.strings.get("name")}`);
    const help = "inline them first: onnx.inliner.inline_local_functions, or export with optimize=True";
    const message = `the model defines ${functions.length} local functions (${names.join(", ")})`;
    problems.report("MRL0110", "", message, help);
  }
}
