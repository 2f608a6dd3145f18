import { createHash } from "node:crypto";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { type Module, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { formatOp, liveOps, withOps } from "../../passes/graph.ts";
import type { ClientPart } from "../../passes/pass.ts";
import type { LoadedModel } from "../load/index.ts";
import type { WrittenDtype } from "../onnx/format/index.ts";
import { constantPrefix } from "../onnx/import/graph/index.ts";
import { type ConstantDigest, constantDigests } from "../onnx/weights/index.ts";
import { encodeElements, transpose } from "../tensors/index.ts";
import { deriveDecodeStep } from "./decode-step.ts";
import { type CacheBinding, exportDecodeGraph, firstUnsupportedOp, writtenDtypeOf } from "./export-decode-graph.ts";

/**
 * The client's own layers position by position: graphs that continue from keys and values that the client keeps, in the
 * clear.
 */
export interface ClientDecodeGraphs {
  /** public-step.onnx and head-step.onnx: for any number of consecutive positions. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly cached: readonly CacheBinding[];
  /** Tables that the importer folded, so that the model's file does not have them. */
  readonly constants: readonly ConstantDigest[];
}

interface ClientGraph {
  readonly file: string;
  readonly module: Module;
}

/**
 * Exports what the client computes in the clear, position by position, from the same values of the imported model at
 * which the secure part is cut. Otherwise the result says why the client computes all positions of the window for each
 * token (MRL0308).
 */
export function exportClientDecodeGraphs(
  loaded: LoadedModel,
  client: ClientPart,
  contextLength: number,
): ClientDecodeGraphs | Diagnostic {
  const { imported } = loaded;
  const ids = new Map([...imported.sources].map(([id, source]) => [source, id]));
  const idOf = (source: string): ValueId => ids.get(source) ?? source;
  const inputs = client.inputs.map(idOf);
  const made = [...client.cuts.map(({ source }) => source), ...client.outputs].filter(
    (source) => !imported.inputs.has(source),
  );
  const tails = { from: client.tails.map(({ source }) => source), to: client.tails.map(({ output }) => output) };
  const cut = (file: string, from: readonly ValueId[], to: readonly string[]): readonly ClientGraph[] =>
    to.length === 0 ? [] : [{ file, module: sliceModule(imported.module, from, [...new Set(to)].map(idOf)) }];
  const parts = [
    ...cut("public-step.onnx", inputs, made),
    ...cut("head-step.onnx", [...new Set(tails.from)].map(idOf), tails.to),
  ];
  const files = new Map<string, Uint8Array>();
  const cached: CacheBinding[] = [];
  const constants: ConstantDigest[] = [];
  const isPublic = publicTensorTest(loaded);
  for (const { file, module } of parts) {
    const step = deriveDecodeStep({ module }, { contextLength, cacheType: { label: "client" } });
    if ("code" in step) return { ...step, ...fullContextFallback, message: `in the clear, ${step.message}` };
    const op = firstUnsupportedOp(step.state.module);
    if (op) return cannotDecode(`${op.name} has no ONNX form`, formatOp(op));
    const unbatched = module.outputs.find((id) => !step.axes.has(id));
    if (unbatched !== undefined) return cannotDecode("a cut is the same at all positions", `%${unbatched}`);
    for (const [id, weight] of Object.entries(step.state.module.params)) {
      const tensor = imported.weights.get(weight)!;
      const found = tensorDigest(weight, tensor, writtenDtypeOf(typeOf(step.state.module, id)));
      if (isPublic(found, tensor)) continue;
      if (!weight.startsWith(constantPrefix))
        return cannotDecode("a weight is stored in another form than in the file", weight);
      if (constants.every(({ sha256 }) => sha256 !== found.sha256)) constants.push(found);
    }
    const nameOf = (id: ValueId): string => imported.sources.get(id) ?? id;
    const graph = exportDecodeGraph(
      { ...step.state, weights: imported.weights, axes: step.axes, nameOf },
      file.replace(".onnx", ""),
    );
    files.set(file, graph.bytes);
    cached.push(...graph.cached);
  }
  return { files, cached, constants };
}

const fullContextFallback = {
  code: "MRL0308",
  help: "no action is needed: the client computes its layers over the whole window for every token, in the clear",
};

const cannotDecode = (why: string, at: string): Diagnostic => ({
  ...fullContextFallback,
  message: `in the clear, the model cannot be run position by position: ${why}`,
  at,
});

/** The part of a module that computes `to` from `from`. */
function sliceModule(module: Module, from: readonly ValueId[], to: readonly ValueId[]): Module {
  const given = new Set(from);
  const ops = liveOps(
    opsOf(module).filter(({ result }) => !given.has(result)),
    to,
  );
  return withOps(module, ops, { inputs: from, outputs: to });
}

function tensorDigest(name: string, { shape, data }: Tensor, dtype: WrittenDtype): ConstantDigest {
  return { name: name.replace(constantPrefix, ""), shape, sha256: digest(encodeElements(dtype, data)) };
}

/** Tests whether the manifest has a tensor by its digest: as a public weight, or a table of the graph. */
function publicTensorTest({ ownership }: LoadedModel): (found: ConstantDigest, tensor: Tensor) => boolean {
  const listed = new Set([
    ...ownership.table.flatMap(({ label, sha256 }) => (label === "public" && sha256 !== undefined ? [sha256] : [])),
    ...constantDigests(ownership.catalog).map(({ sha256 }) => sha256),
  ]);
  return ({ sha256, shape }, tensor) =>
    listed.has(sha256) ||
    tensor.data.length <= 1 ||
    // Exporters transpose matrices.
    (shape.length === 2 && listed.has(digest(encodeElements("float32", transpose(tensor).data))));
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
