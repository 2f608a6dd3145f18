import type { Label } from "../../../ir/label.ts";
import type { Tensor } from "../../../ir/tensor.ts";
import { bool, f32, i64, type PlainElement, sameShape, sizeOf } from "../../../ir/type.ts";
import { type Dtype, roundTensor, transpose } from "../../tensors/index.ts";
import {
  createUnusedNames,
  type OnnxGraph,
  type OnnxModel,
  type OnnxTensor,
  readTensor,
  type TensorSource,
} from "../format/index.ts";
import { isCodeConstant, isCodeConstantName } from "./exporter-constants.ts";
import { isFormulaTable } from "./formula-tables.ts";
import { findOwnedIntegers } from "./integer-weights.ts";
import { isMaskNumber } from "./masked-score.ts";
import { parsePythonList } from "./module-path.ts";
import { isRotaryTable } from "./rotary-table.ts";
import { exponentNames, integerFactorNames, shapeOnlyNames } from "./shape-inputs.ts";
import { type RecoveredName, recoverNames, type WeightNames } from "./weight-names.ts";

export function elementOfDtype(dtype: Dtype): PlainElement {
  if (dtype === "bool") return bool;
  return /^u?int/.test(dtype) ? i64 : f32;
}

/** A trained tensor of the model, which has an owner. */
export interface ModelWeight {
  /**
   * The recovered name where possible, else the name in the file. Unique in the model, and the key in the weight store.
   */
  readonly name: string;
  readonly recovered: RecoveredName | undefined;
  /** Parameters that it may be or was computed from, according to the file; wrapper prefixes may lead the names. */
  readonly candidates: readonly string[];
  readonly source: OnnxTensor;
  /** Read once, on first use. */
  readonly tensor: () => Tensor;
}

export interface WeightCatalog {
  readonly model: OnnxModel;
  /** By the name in the file. */
  readonly weights: ReadonlyMap<string, ModelWeight>;
  readonly names: WeightNames;
  /**
   * The other stored tensors: shapes, axes, masks, tables of positions. They follow from the architecture, so they are
   * public.
   */
  readonly constants: ReadonlySet<string>;
  /** Those of `weights` that are integers which no product reads: they have an owner, and no form on shares. */
  readonly ownedIntegers: ReadonlySet<string>;
}

/** The owner of every weight, by weight name. */
export interface WeightOwners {
  readonly catalog: WeightCatalog;
  readonly labels: ReadonlyMap<string, Label>;
  /** Of private weights that an option names: its pattern. */
  readonly patterns?: ReadonlyMap<string, string>;
}

/** A parameter that the file stores twice, as it is and transposed (an embedding tied to the head), gets one name. */
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

/** Equal shapes and equal values, bit for bit. */
export function sameTensor(a: Tensor, b: Tensor): boolean {
  return sameShape(a.shape, b.shape) && a.data.every((value, at) => Object.is(value, b.data[at]));
}

/** The exporter's note of the parameters that it folded into a tensor. */
const foldedNames = ({ graph }: Pick<OnnxModel, "graph">, initializer: string): readonly string[] =>
  parsePythonList(graph.valueInfo.get(initializer)?.metadata.get("pkg.onnxscript.optimizer.folded_from") ?? "") ?? [];

/** Names of folded parameters, and names that several tensors claim. */
function candidateNames({ graph }: OnnxModel, { ambiguous }: WeightNames, initializer: string): readonly string[] {
  const folded = foldedNames({ graph }, initializer).filter((name) => parameterName.test(name));
  const claimed = [...ambiguous].filter(([, claims]) => claims.includes(initializer)).map(([name]) => name);
  return [...folded, ...claimed];
}

/**
 * Classifies every stored tensor: weights have owners, and constants are part of the architecture. `known` are the
 * parameter names of the base.
 */
export function catalogWeights(model: OnnxModel, known?: ReadonlySet<string>): WeightCatalog {
  const names = recoverNames(model, known ? { known } : {});
  const weights = new Map<string, ModelWeight>();
  const constants = new Set<string>();
  const shared = tiedNames(model, names);
  const structural = shapeOnlyNames(model.graph);
  const exponents = exponentNames(model.graph);
  const factors = integerFactorNames(model.graph);
  const taken = new Set([...names.names.values(), ...shared.values()].map(({ name }) => name));
  const given = new Set<string>();
  const unused = createUnusedNames((name) => taken.has(name));
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
    // A tensor that an exporter folded from rotary frequencies has their name but other values, which follow from the
    // formula.
    const isKnown = known?.has(called) === true && !(isBuffer(called) && recovered?.how === "folded");
    const isOwned = isFactor || integers.has(source.name) || isKnown;
    if (
      structural.has(source.name) ||
      (exponents.has(source.name) && isFormulaExponent(source, tensor)) ||
      (!isOwned &&
        (isConstant(source, recovered, tensor, foldedNames(model, source.name)) ||
          isEmbedScale(source, recovered, tensor, widths)))
    ) {
      constants.add(source.name);
      continue;
    }
    let name = recovered?.name ?? integers.get(source.name) ?? source.name;
    // A recovered name is the better claim, and the first of several equal tensors is the best.
    const first = tie === undefined || !given.has(name);
    if (recovered ? !first : taken.has(name)) {
      const tied = `${name}.tied`;
      name = unused(tied, (n) => `${tied}${n}`, 2);
    }
    taken.add(name);
    given.add(name);
    const origins = recovered ? [recovered.name] : candidateNames(model, names, source.name);
    weights.set(source.name, { name, recovered, candidates: origins, source, tensor });
  }
  return { model, weights, names, constants, ownedIntegers: new Set(integers.keys()) };
}

const isFormulaExponent = ({ dims }: OnnxTensor, tensor: () => Tensor): boolean =>
  sizeOf(dims) === 1 && Number.isInteger(2 * tensor().data[0]!);

/** Widths of the embedding tables. */
const embeddingWidths = ({ nodes, initializers }: OnnxGraph): ReadonlySet<number> =>
  new Set(
    nodes.flatMap(({ op, inputs }) =>
      op === "Gather" ? (initializers.get(inputs[0] ?? "")?.dims.slice(-1) ?? []) : [],
    ),
  );

/**
 * Gemma stores the square root of its width, which scales embeddings, as a scalar rounded to the format of the model.
 */
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
 * The name of a scalar parameter (`logit_scale`). Exporters number their own scalars (`val_41`, `/m/Constant_3`) or
 * name them after the torch function that makes them (`zeros`, `full_like`). The threshold of onnxscript's softplus is
 * cast to the type of its operand.
 */
const bareName =
  /^(?!threshold(_cast)?$|val|const|scalar|onnx|ort|m(in|ax)_val|((new_)?(zeros|ones|full|empty|arange|clone|lift_fresh_copy)(_like)?$))[a-z]+(_[a-z]+)*$/i;

/** Single parameters under an exporter's name: skl2onnx numbers them, and tf2onnx names the read of the variable. */
const numberedParameter =
  /^(coef|coefficients?|intercepts?|bias|weights?|gamma|beta|offset|scale)\d+$|(^|\/)ReadVariableOp(:\d+)?$/i;

/** Whether a name comes from the model rather than from an exporter. */
const isModelName = (name: string): boolean => !isCodeConstantName(name) && (bareName.test(name) || name.includes("."));

/** Numbers of formulas that skl2onnx writes, with the values that they have there. */
const formulaNumbers: Readonly<Record<string, (value: number) => boolean>> = {
  unity: (value) => value === 1,
  negate: (value) => value === -1,
  exponent: (value) => value === 2,
  prod_operand: (value) => value === 0.5,
  mul_operand: (value) => value === 0.5,
  num_classes: Number.isInteger,
};
/** What it calls the known operand of a power. */
const powerConstant = /(^|_)Powcst\d*$/;

const isFormulaNumber = (name: string, value: number): boolean =>
  isMaskNumber(value) ||
  powerConstant.test(name) ||
  (Object.hasOwn(formulaNumbers, name) && formulaNumbers[name]!(value));

/** Nobody trains a number that hides a score, or an exponent. */
const isScalarParameter = (name: string, tensor: () => Tensor): boolean =>
  numberedParameter.test(name) || (bareName.test(name) && !isFormulaNumber(name, tensor().data[0]!));

const parameterName = /\.(weight|bias)$/;
/** What models keep beside parameters: tables of positions. */
const bufferName = /(^|[._])(inv_freq|rotary|rope|position_ids|cos|sin)/i;

const isBuffer = (name: string): boolean => bufferName.test(name) && !parameterName.test(name);

/**
 * Integers and booleans that act as indices, and unnamed scalars, are part of the graph. So are unnamed tables that
 * follow from the architecture by a formula. A tensor with a parameter's name is a weight, whatever its values are.
 */
function isConstant(
  source: OnnxTensor,
  recovered: RecoveredName | undefined,
  tensor: () => Tensor,
  foldedFrom: readonly string[] = [],
): boolean {
  const name = recovered?.name ?? source.name;
  const single = sizeOf(source.dims) <= 1;
  // A past of length 0 has no values to own.
  if (sizeOf(source.dims) === 0) return !parameterName.test(name);
  if (elementOfDtype(source.dtype).kind !== "f32" || isCodeConstant(name, foldedFrom, single)) return true;
  if (recovered && !isBuffer(name)) return false;
  // A value computed from a named scalar of the model belongs to the model as that scalar does.
  if (single) return !recovered && !isScalarParameter(source.name, tensor) && !foldedFrom.some(isModelName);
  return isFormulaTable(tensor()) || isRotaryTable([name, ...foldedFrom], tensor(), source.dtype);
}

/** Whether a weight is a table of positions that follows from the architecture, by its name and by its values. */
export const isPositionTable = ({ name, source, tensor }: ModelWeight): boolean =>
  isBuffer(name) && (isFormulaTable(tensor()) || isRotaryTable([name], tensor(), source.dtype));

/** Whether an unnamed tensor, known from the file alone, is part of the graph. */
export const isArchitectureConstant = (source: OnnxTensor, tensor: () => Tensor): boolean =>
  isConstant(source, undefined, tensor);

function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
