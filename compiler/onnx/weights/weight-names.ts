import type { OnnxModel, OnnxNode, OnnxTensor } from "../format/index.ts";
import { findWrapperPrefix, modulePathOf, type PathPrefix, parsePythonList, stripPrefix } from "./module-path.ts";

export interface RecoveredName {
  /** The parameter's name in the training framework: `model.layers.0.self_attn.q_proj.weight`. */
  readonly name: string;
  /** The source of the name. kept: the file; folded: the exporter's note; node: the node that reads the tensor. */
  readonly how: "kept" | "folded" | "node";
  /** The initializer is the parameter's transpose: exporters store a linear layer's [out, in] as [in, out]. */
  readonly transposed: boolean;
}

/** A MatMul or Gemm with a stored matrix, to which an adapter attaches. */
export interface LinearNode {
  readonly node: OnnxNode;
  /** Path of the module: `model.layers.0.self_attn.q_proj`; absent where the file does not give it. */
  readonly module: string | undefined;
  readonly weight: string;
  /** The initializer is [out, in]: a Transpose or Gemm's transB comes before the product. */
  readonly outFirst: boolean;
}

export interface WeightNames {
  readonly names: ReadonlyMap<string, RecoveredName>;
  readonly linears: readonly LinearNode[];
  /** Names that several initializers claim, with those initializers: none of them is in `names`. */
  readonly ambiguous: ReadonlyMap<string, readonly string[]>;
}

export interface RecoveryOptions {
  /** Parameter names of the base model, if known: they show where wrapper prefixes end. */
  readonly known?: ReadonlySet<string>;
}

const foldedFrom = "pkg.onnxscript.optimizer.folded_from";
const floatTypes: ReadonlySet<string> = new Set(["float32", "float64", "float16", "bfloat16"]);
/** A parameter's name starts with a module; names that exporters invent (`onnx::MatMul_579`, `val_49`) do not. */
const parameterName = /^[A-Za-z_]\w*(\.\w+)+$/;

/**
 * Recovers the training framework's names of weights that exporters rename (pytorch#41007: all matrices, since 2020).
 */
export function recoverNames(model: OnnxModel, options: RecoveryOptions = {}): WeightNames {
  const weights = [...model.graph.initializers.values()].filter((tensor) => floatTypes.has(tensor.dtype));
  const stated = new Map(weights.flatMap((tensor) => statedName(model, tensor)));
  const raw = [...stated.values()].map(({ name }) => name);
  const prefix = commonPrefix(raw, options.known);
  const linears = findLinears(model, stated, prefix);
  const consumers = new Map(linears.map((linear) => [linear.weight, linear]));
  const byName = new Map<string, string[]>();
  const candidates = new Map<string, RecoveredName>();
  for (const { name: initializer } of weights) {
    const direct = stated.get(initializer);
    const linear = consumers.get(initializer);
    const stored = linear !== undefined && !linear.outFirst;
    let found: RecoveredName | undefined;
    if (direct) {
      const transposed = direct.mayTranspose && stored;
      found = { name: stripPrefix(direct.name, prefix), how: direct.how, transposed };
    } else if (linear?.module) {
      found = { name: `${linear.module}.weight`, how: "node", transposed: stored };
    }
    if (!found) continue;
    candidates.set(initializer, found);
    byName.set(found.name, [...(byName.get(found.name) ?? []), initializer]);
  }
  const conflicts = new Map([...byName].filter(([, initializers]) => initializers.length > 1));
  const names = new Map([...candidates].filter(([, { name }]) => !conflicts.has(name)));
  return { names, linears, ambiguous: conflicts };
}

/** The wrapper's leading segments, shared by all parameter names. */
export function wrapperPrefixOf(model: OnnxModel, known?: ReadonlySet<string>): PathPrefix {
  const statedTensors = [...model.graph.initializers.values()].filter(({ dtype }) => floatTypes.has(dtype));
  return commonPrefix(
    statedTensors.flatMap((tensor) => statedName(model, tensor).map(([, { name }]) => name)),
    known,
  );
}

/** The name that the file states for a stored tensor, wrapper prefixes included. */
export const statedParameterName = (model: OnnxModel, tensor: OnnxTensor): string | undefined =>
  statedName(model, tensor)[0]?.[1].name;

interface StatedName {
  readonly name: string;
  readonly how: "kept" | "folded";
  /** The source of the name may have stored the parameter's transpose. */
  readonly mayTranspose: boolean;
}

/**
 * The name that ONNX Runtime's model builder gives to the [in, out] matrix of `q_proj`:
 * `model.layers.0.attn.q_proj.MatMul.weight`.
 */
const builderName = /\.MatMul\.weight$/;

/** The name stated in the file: a note with a single origin, or a parameter's name. */
function statedName(model: OnnxModel, tensor: OnnxTensor): (readonly [string, StatedName])[] {
  const note = model.graph.valueInfo.get(tensor.name)?.metadata.get(foldedFrom);
  const origins = parsePythonList(note ?? "") ?? [];
  const [origin] = origins;
  if (origins.length === 1 && origin && parameterName.test(origin)) {
    return [[tensor.name, { name: origin, how: "folded", mayTranspose: true }]];
  }
  if (!parameterName.test(tensor.name)) return [];
  const name = tensor.name.replace(builderName, ".weight");
  return [[tensor.name, { name, how: "kept", mayTranspose: name !== tensor.name }]];
}

/** The leading segments whose removal gives the most known names; without known names, those that no model uses. */
function commonPrefix(names: readonly string[], known: ReadonlySet<string> | undefined): PathPrefix {
  const guess = findWrapperPrefix(names);
  if (!known) return guess;
  const leads = new Set(names.flatMap((name) => leadingPaths(name.split(".", 5))));
  const score = (prefix: PathPrefix) => names.filter((name) => known.has(stripPrefix(name, prefix))).length;
  let best: PathPrefix = guess;
  for (const lead of leads) {
    const prefix = lead === "" ? [] : lead.split(".");
    if (score(prefix) > score(best)) best = prefix;
  }
  return best;
}

/** Candidates for a wrapper: up to four leading segments. */
const leadingPaths = (path: readonly string[]): readonly string[] => path.map((_, end) => path.slice(0, end).join("."));

/** Operators of products, and what ONNX Runtime's optimizer makes of them. */
const productOps: Readonly<Record<string, readonly string[]>> = {
  "": ["MatMul", "Gemm"],
  "com.microsoft": ["FusedMatMul", "FusedGemm"],
};
export const isMatrixProduct = ({ op, domain }: OnnxNode): boolean =>
  Object.hasOwn(productOps, domain) && productOps[domain]!.includes(op);

function findLinears(model: OnnxModel, stated: ReadonlyMap<string, StatedName>, prefix: PathPrefix): LinearNode[] {
  const { nodes, initializers } = model.graph;
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const found: Omit<LinearNode, "module">[] = [];
  for (const node of nodes) {
    if (!isMatrixProduct(node)) continue;
    const operand = node.inputs[1] ?? "";
    const maker = makers.get(operand);
    const transpose = maker?.op === "Transpose" && maker.domain === "";
    const weight = transpose ? (maker.inputs[0] ?? "") : operand;
    const tensor = initializers.get(weight);
    if (tensor?.dims.length !== 2 || !floatTypes.has(tensor.dtype)) continue;
    const flag = node.attributes.get("transB");
    const flipped = flag?.kind === "int" && flag.value !== 0;
    found.push({ node, weight, outFirst: flipped !== transpose });
  }
  const uses = new Map<string, number>();
  for (const name of nodes.flatMap((node) => node.inputs)) uses.set(name, (uses.get(name) ?? 0) + 1);
  const paths = found.map(({ node, weight }) => {
    const name = stated.get(weight)?.name.replace(/\.weight$/, "");
    const module = name && stripPrefix(name, prefix);
    // A tied matrix keeps the name of the embedding, and its second reader is the head: there the node gives the
    // module.
    return (uses.get(weight) === 1 && module) || modulePathOf(node, prefix) || module;
  });
  const modules = loraPaths(paths);
  return found.map((linear, index) => ({ ...linear, module: modules[index] }));
}

/**
 * An unmerged PEFT layer has the nodes `q_proj/base_layer`, `q_proj/default` and `q_proj/default_1`: TorchScript names
 * the second use of an adapter's scope with `_1`, and lora_A comes first.
 */
function loraPaths(paths: readonly (string | undefined)[]): (string | undefined)[] {
  const layers = new Set(paths.flatMap((path) => (path?.endsWith(".base_layer") ? [path.slice(0, -11)] : [])));
  const all = new Set(paths);
  return paths.map((path) => {
    const at = path?.lastIndexOf(".") ?? -1;
    const layer = path?.slice(0, at);
    if (!path || !layer || !layers.has(layer)) return path;
    if (path.endsWith(".base_layer")) return layer;
    if (path.endsWith("_1") && all.has(path.slice(0, -2))) return `${layer}.lora_B`;
    return `${layer}.lora_A`;
  });
}
