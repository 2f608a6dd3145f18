import type { Label } from "../../../ir/label.ts";
import type { Tensor } from "../../../ir/tensor.ts";
import { bool, f32, i64, type PlainElement, sameShape, sizeOf } from "../../../ir/type.ts";
import type { Dtype } from "../../tensors/index.ts";
import { roundTensor, transpose } from "../../tensors/index.ts";
import type { OnnxGraph, OnnxModel, OnnxTensor, TensorSource } from "../format/index.ts";
import { readTensor } from "../format/index.ts";
import { isCodeConstant, isCodeConstantName } from "./exporter-constants.ts";
import { isFormulaTable } from "./formula-tables.ts";
import { findOwnedIntegers } from "./integer-weights.ts";
import { parsePythonList } from "./module-path.ts";
import { isRotaryTable } from "./rotary-table.ts";
import { integerFactorNames, shapeOnlyNames } from "./shape-inputs.ts";
import { type RecoveredName, recoverNames, type WeightNames } from "./weight-names.ts";

export function elementOfDtype(dtype: Dtype): PlainElement {
  if (dtype === "bool") return bool;
  return /^u?int/.test(dtype) ? i64 : f32;
}

/** A trained tensor of the model: something that an owner has. */
export interface ModelWeight {
  /** Recovered where that is possible, else the file's own. Unique in the model; the key in the weight store. */
  readonly name: string;
  readonly recovered: RecoveredName | undefined;
  /** Parameters that it may be or was computed from, as far as the file tells; wrappers may stand in front. */
  readonly candidates: readonly string[];
  readonly source: OnnxTensor;
  /** Read once, when first asked for. */
  readonly tensor: () => Tensor;
}

export interface WeightCatalog {
  readonly model: OnnxModel;
  /** By the name in the file. */
  readonly weights: ReadonlyMap<string, ModelWeight>;
  readonly names: WeightNames;
  /** The rest: shapes, axes, masks, tables of positions. Known from the architecture, so public. */
  readonly constants: ReadonlySet<string>;
  /** Those of `weights` that are integers which no product takes: they have an owner, and no form on shares. */
  readonly ownedIntegers: ReadonlySet<string>;
}

/** Who knows which weight, by weight name. */
export interface WeightOwners {
  readonly catalog: WeightCatalog;
  readonly labels: ReadonlyMap<string, Label>;
}

/** One parameter that a file stores twice, as it is and transposed (embeddings tied to the head), is one under one name. */
function tiedNames(model: OnnxModel, { ambiguous, linears }: WeightNames): ReadonlyMap<string, RecoveredName> {
  const found = new Map<string, RecoveredName>();
  for (const [name, initializers] of ambiguous) {
    const [first, ...rest] = initializers.map((each) => readTensor(model, model.graph.initializers.get(each)!));
    const tied = rest.every((other) => sameTensor(first!, other) || sameTensor(transpose(first!), other));
    if (!tied || first!.shape.length !== 2) continue;
    for (const initializer of initializers) {
      const isNamed = initializer === name || initializer.endsWith(`.${name}`);
      const transposed = !isNamed && linears.some((linear) => linear.weight === initializer && !linear.outFirst);
      found.set(initializer, { name, how: isNamed ? "kept" : "folded", transposed });
    }
  }
  return found;
}

/** The same shape and the same numbers, bit for bit. */
export function sameTensor(a: Tensor, b: Tensor): boolean {
  return sameShape(a.shape, b.shape) && a.data.every((value, at) => Object.is(value, b.data[at]));
}

/** The exporter's note of what it folded into a tensor. */
const foldedNames = ({ graph }: Pick<OnnxModel, "graph">, initializer: string): readonly string[] =>
  parsePythonList(graph.valueInfo.get(initializer)?.metadata.get("pkg.onnxscript.optimizer.folded_from") ?? "") ?? [];

/** What the exporter folded, and names that more than one tensor has a claim to. */
function candidateNames({ graph }: OnnxModel, { ambiguous }: WeightNames, initializer: string): readonly string[] {
  const folded = foldedNames({ graph }, initializer).filter((name) => parameterName.test(name));
  const claimed = [...ambiguous].filter(([, claims]) => claims.includes(initializer)).map(([name]) => name);
  return [...folded, ...claimed];
}

/** Every stored tensor, told apart: weights, which have owners, and constants, which are part of the architecture. */
export function catalogWeights(model: OnnxModel, known?: ReadonlySet<string>): WeightCatalog {
  const names = recoverNames(model, known ? { known } : {});
  const weights = new Map<string, ModelWeight>();
  const constants = new Set<string>();
  const shared = tiedNames(model, names);
  const structural = shapeOnlyNames(model.graph);
  const factors = integerFactorNames(model.graph);
  const taken = new Set([...names.names.values(), ...shared.values()].map(({ name }) => name));
  const given = new Set<string>();
  const counts = new Map<string, number>();
  const tiedTo = (name: string): string => {
    let n = counts.get(name) ?? 1;
    const tied = (): string => `${name}.tied${n === 1 ? "" : n}`;
    while (taken.has(tied())) n++;
    const free = tied();
    counts.set(name, n + 1);
    return free;
  };
  const readers = new Map<TensorSource, { readonly dims: readonly number[]; readonly tensor: () => Tensor }>();
  const stored = storedTensors(model);
  const widths = embeddingWidths(model.graph);
  const integers = findOwnedIntegers(
    model,
    stored.filter(({ name }) => !structural.has(name) && !factors.has(name)),
    known,
  );
  for (const source of stored) {
    const own = names.names.get(source.name);
    const tie = shared.get(source.name);
    const recovered = own ?? tie;
    // Parameters that a file has merged are read once.
    const read = readers.get(source.source);
    const tensor = read && sameShape(read.dims, source.dims) ? read.tensor : lazy(() => readTensor(model, source));
    readers.set(source.source, { dims: source.dims, tensor });
    const isFactor = factors.has(source.name) && sizeOf(source.dims) > 1;
    const called = recovered?.name ?? source.name;
    // What an exporter folded from rotary frequencies has their name and other numbers, which follow from the formula.
    const isKnown = known?.has(called) === true && !(isBuffer(called) && recovered?.how === "folded");
    const isOwned = isFactor || integers.has(source.name) || isKnown;
    if (
      structural.has(source.name) ||
      (!isOwned &&
        (isConstant(source, recovered, tensor, foldedNames(model, source.name)) ||
          isEmbedScale(source, recovered, tensor, widths)))
    ) {
      constants.add(source.name);
      continue;
    }
    let name = recovered?.name ?? integers.get(source.name) ?? source.name;
    // A recovered name is the better claim to it, and the first of several equal tensors the best.
    const first = tie === undefined || !given.has(name);
    if (recovered ? !first : taken.has(name)) name = tiedTo(name);
    taken.add(name);
    given.add(name);
    const origins = recovered ? [recovered.name] : candidateNames(model, names, source.name);
    weights.set(source.name, { name, recovered, candidates: origins, source, tensor });
  }
  return { model, weights, names, constants, ownedIntegers: new Set(integers.keys()) };
}

/** Widths of the tables that rows are looked up in. */
const embeddingWidths = ({ nodes, initializers }: OnnxGraph): ReadonlySet<number> =>
  new Set(
    nodes.flatMap(({ op, inputs }) =>
      op === "Gather" ? (initializers.get(inputs[0] ?? "")?.dims.slice(-1) ?? []) : [],
    ),
  );

/** Gemma keeps the root of the width that it scales embeddings by as a number of its own, rounded to its format. */
function isEmbedScale(
  { dims, name }: OnnxTensor,
  recovered: RecoveredName | undefined,
  tensor: () => Tensor,
  widths: ReadonlySet<number>,
): boolean {
  if (sizeOf(dims) !== 1 || !/(^|\.)embed_scale$/.test(recovered?.name ?? name)) return false;
  const scale = tensor();
  return [...widths].some((width) => {
    const root = { shape: [], data: Float64Array.of(Math.sqrt(width)) };
    return (["float32", "float16", "bfloat16"] as const).some(
      (format) => roundTensor(root, format).data[0] === scale.data[0],
    );
  });
}

/** Initializers, and tensors of Constant nodes under the name of the node's output. */
export function storedTensors(model: OnnxModel): OnnxTensor[] {
  const nodes = model.graph.nodes.flatMap((node) => {
    const value = node.op === "Constant" && node.domain === "" ? node.attributes.get("value") : undefined;
    return value?.kind === "tensor" ? [{ ...value.value, name: node.outputs[0]! }] : [];
  });
  return [...model.graph.initializers.values(), ...nodes];
}

/**
 * What a model calls a single number of its own (`logit_scale`). Exporters count theirs (`val_41`, `/m/Constant_3`), or
 * call them as the function of torch that makes them: `zeros`, `full_like`. Softplus as onnxscript writes it has a threshold,
 * cast to the type of its operand.
 */
const bareName =
  /^(?!threshold(_cast)?$|val|const|scalar|onnx|ort|m(in|ax)_val|((new_)?(zeros|ones|full|empty|arange|clone|lift_fresh_copy)(_like)?$))[a-z]+(_[a-z]+)*$/i;

/** Whether a name is one that a model gives. */
const isModelName = (name: string): boolean => !isCodeConstantName(name) && (bareName.test(name) || name.includes("."));

const parameterName = /\.(weight|bias)$/;
/** What models keep beside parameters: tables of positions. */
const bufferName = /(^|[._])(inv_freq|rotary|rope|position_ids|cos|sin)/i;

const isBuffer = (name: string): boolean => bufferName.test(name) && !parameterName.test(name);

/**
 * Integers and booleans that choose places, and nameless single numbers, are part of the graph. So are nameless tables
 * that follow from the architecture by a formula; what has a parameter's name is a weight whatever its numbers are.
 */
function isConstant(
  source: OnnxTensor,
  recovered: RecoveredName | undefined,
  tensor: () => Tensor,
  foldedFrom: readonly string[] = [],
): boolean {
  const name = recovered?.name ?? source.name;
  const single = sizeOf(source.dims) <= 1;
  // A past of no places has no numbers to own.
  if (sizeOf(source.dims) === 0) return !parameterName.test(name);
  if (elementOfDtype(source.dtype).kind !== "f32" || isCodeConstant(name, foldedFrom, single)) return true;
  if (recovered && !isBuffer(name)) return false;
  // What was computed from a number that the model keeps is as much its own as that number.
  if (single) return !recovered && !bareName.test(source.name) && !foldedFrom.some(isModelName);
  return isFormulaTable(tensor()) || isRotaryTable([name, ...foldedFrom], tensor(), source.dtype);
}

/** Whether a weight is a table of positions that follows from the architecture, by its name and by its numbers. */
export const isPositionTable = ({ name, source, tensor }: ModelWeight): boolean =>
  isBuffer(name) && (isFormulaTable(tensor()) || isRotaryTable([name], tensor(), source.dtype));

/** Whether a tensor that nothing but the file names is part of the graph. */
export const isArchitectureConstant = (source: OnnxTensor, tensor: () => Tensor): boolean =>
  isConstant(source, undefined, tensor);

function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
