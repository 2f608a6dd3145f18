import type { OnnxModel, OnnxNode, OnnxTensor } from "../format/index.ts";
import { modulePathOf, type Prefix, parseNames, stripPrefix, wrapperPrefix } from "./module-path.ts";

export interface RecoveredName {
  /** The parameter's name in the training framework: `model.layers.0.self_attn.q_proj.weight`. */
  readonly name: string;
  /** kept: the file's own name; folded: the exporter's note; node: the consumer's name; value: equal numbers. */
  readonly how: "kept" | "folded" | "node";
  /** The initializer is the parameter's transpose: exporters store a linear layer's [out, in] as [in, out]. */
  readonly transposed: boolean;
}

/** A MatMul or Gemm with a stored matrix: where an adapter attaches. */
export interface LinearNode {
  readonly node: OnnxNode;
  /** Path of the module: `model.layers.0.self_attn.q_proj`; absent where nothing tells it. */
  readonly module: string | undefined;
  readonly weight: string;
  /** The initializer is [out, in]: a Transpose or Gemm's transB stands between it and the product. */
  readonly outFirst: boolean;
}

export interface WeightNames {
  readonly names: ReadonlyMap<string, RecoveredName>;
  readonly linears: readonly LinearNode[];
  /** Names that several initializers would have, with those: none of them is in `names`. */
  readonly conflicts: ReadonlyMap<string, readonly string[]>;
}

export interface NameOptions {
  /** Names of the base model's parameters, when they are known: they tell where wrappers end. */
  readonly known?: ReadonlySet<string>;
}

const foldedFrom = "pkg.onnxscript.optimizer.folded_from";
const floatTypes: ReadonlySet<string> = new Set(["float32", "float64", "float16", "bfloat16"]);
/** A parameter's own name has a module in front; what exporters make up (`onnx::MatMul_579`, `val_49`) has none. */
const parameterName = /^[A-Za-z_]\w*(\.\w+)+$/;

/** Finds the training framework's names of weights that exporters rename (pytorch#41007: all matrices, since 2020). */
export function recoverNames(model: OnnxModel, options: NameOptions = {}): WeightNames {
  const weights = [...model.graph.initializers.values()].filter((tensor) => floatTypes.has(tensor.dtype));
  const told = new Map(weights.flatMap((tensor) => toldName(model, tensor)));
  const raw = [...told.values()].map(({ name }) => name);
  const prefix = prefixOf(raw, options.known);
  const linears = findLinears(model, told, prefix);
  const consumers = new Map(linears.map((linear) => [linear.weight, linear]));
  const byName = new Map<string, string[]>();
  const candidates = new Map<string, RecoveredName>();
  for (const { name: initializer } of weights) {
    const direct = told.get(initializer);
    const linear = consumers.get(initializer);
    const stored = linear !== undefined && !linear.outFirst;
    let found: RecoveredName | undefined;
    if (direct) {
      const transposed = direct.mayTurn && stored;
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
  return { names, linears, conflicts };
}

/** Segments in front of all names of parameters that are a wrapper's. */
export function wrapperOf(model: OnnxModel, known?: ReadonlySet<string>): Prefix {
  const told = [...model.graph.initializers.values()].filter(({ dtype }) => floatTypes.has(dtype));
  return prefixOf(
    told.flatMap((tensor) => toldName(model, tensor).map(([, { name }]) => name)),
    known,
  );
}

/** What the file itself says that a stored tensor is called, wrappers included. */
export const ownName = (model: OnnxModel, tensor: OnnxTensor): string | undefined =>
  toldName(model, tensor)[0]?.[1].name;

interface Told {
  readonly name: string;
  readonly how: "kept" | "folded";
  /** Whoever wrote the name may have stored the transpose of the parameter. */
  readonly mayTurn: boolean;
}

/** ONNX Runtime's model builder calls the [in, out] matrix of `q_proj` so: `model.layers.0.attn.q_proj.MatMul.weight`. */
const builderName = /\.MatMul\.weight$/;

/** What the file itself says: a note of one single origin, or a name that is a parameter's. */
function toldName(model: OnnxModel, tensor: OnnxTensor): (readonly [string, Told])[] {
  const note = model.graph.valueInfo.get(tensor.name)?.metadata.get(foldedFrom);
  const origins = parseNames(note ?? "") ?? [];
  const [origin] = origins;
  if (origins.length === 1 && origin && parameterName.test(origin)) {
    return [[tensor.name, { name: origin, how: "folded", mayTurn: true }]];
  }
  if (!parameterName.test(tensor.name)) return [];
  const name = tensor.name.replace(builderName, ".weight");
  return [[tensor.name, { name, how: "kept", mayTurn: name !== tensor.name }]];
}

/** The leading segments whose removal gives the most known names; without known names, those that no model uses. */
function prefixOf(names: readonly string[], known: ReadonlySet<string> | undefined): Prefix {
  const guess = wrapperPrefix(names);
  if (!known) return guess;
  const leads = new Set(names.flatMap((name) => leadsOf(name.split(".", 5))));
  const score = (prefix: Prefix) => names.filter((name) => known.has(stripPrefix(name, prefix))).length;
  let best: Prefix = guess;
  for (const lead of leads) {
    const prefix = lead === "" ? [] : lead.split(".");
    if (score(prefix) > score(best)) best = prefix;
  }
  return best;
}

/** What may be a wrapper's: up to four segments in front. */
const leadsOf = (path: readonly string[]): readonly string[] => path.map((_, end) => path.slice(0, end).join("."));

/** What a product is called, and what ONNX Runtime's optimiser makes of one. */
const products: Readonly<Record<string, readonly string[]>> = {
  "": ["MatMul", "Gemm"],
  "com.microsoft": ["FusedMatMul", "FusedGemm"],
};
export const isProduct = ({ op, domain }: OnnxNode): boolean =>
  Object.hasOwn(products, domain) && products[domain]!.includes(op);

function findLinears(model: OnnxModel, told: ReadonlyMap<string, Told>, prefix: Prefix): LinearNode[] {
  const { nodes, initializers } = model.graph;
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const found: Omit<LinearNode, "module">[] = [];
  for (const node of nodes) {
    if (!isProduct(node)) continue;
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
    const name = told.get(weight)?.name.replace(/\.weight$/, "");
    const module = name && stripPrefix(name, prefix);
    // A tied matrix keeps the name of the embedding, but its second user is the head: there the node tells.
    return (uses.get(weight) === 1 && module) || modulePathOf(node, prefix) || module;
  });
  const modules = adapterPaths(paths);
  return found.map((linear, index) => ({ ...linear, module: modules[index] }));
}

/**
 * An unmerged PEFT layer has the nodes `q_proj/base_layer`, `q_proj/default` and `q_proj/default_1`: TorchScript names
 * the second use of an adapter's scope with `_1`, and lora_A comes first.
 */
function adapterPaths(paths: readonly (string | undefined)[]): (string | undefined)[] {
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
