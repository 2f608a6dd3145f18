import { createHash } from "node:crypto";
import { type Builder, createBuilder } from "../../../../ir/builder.ts";
import { resultType } from "../../../../ir/infer.ts";
import { evaluateOp } from "../../../../ir/interpret.ts";
import type { Label } from "../../../../ir/label.ts";
import type { Attrs, ValueId } from "../../../../ir/module.ts";
import { wrapIndex } from "../../../../ir/ops/helpers/indices.ts";
import { axisOf } from "../../../../ir/ops/helpers/shapes.ts";
import { opDef, withDefaults } from "../../../../ir/registry.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import { isFixed, type PlainElement, sameShape, type TensorType } from "../../../../ir/type.ts";
import { checkArity, checkShape, type FoldMeter, maxViews } from "./fold-limits.ts";
import type { ConstantOperand, GraphOperand, LayoutView, ValueOperand, WeightOperand } from "./operand.ts";

/** The origin of a stored tensor: a weight, by name, and the layout operators applied to it since. */
export interface StoredWeight {
  readonly weight: string;
  readonly views: readonly LayoutView[];
}

/** The module under construction, and the store of what its parameters name. */
export interface ImportContext {
  readonly builder: Builder;
  readonly weights: Map<string, Tensor>;
  readonly storedWeights: Map<string, StoredWeight>;
  readonly sources: Map<ValueId, string>;
  readonly meter: FoldMeter;
  readonly emit: (op: string, operands: readonly GraphOperand[], attrs?: Attrs) => GraphOperand;
  /** Adds the operators emitted since the last flush to the module; `outputs` name the node's results. */
  readonly flush: (origin: string, outputs: readonly (readonly [string, GraphOperand])[]) => void;
  /** Drops the operators emitted since the last flush: their node is refused. */
  readonly discard: () => void;
  /** Runs `build` without recording ONNX sources: values of a graph inside a node cannot be cut out of the file. */
  readonly withoutSources: (build: () => void) => void;
  /** Id of any operand; constants and weights become parameters. */
  readonly idOf: (operand: GraphOperand) => ValueId;
}

interface PendingOp {
  readonly name: string;
  readonly operands: readonly GraphOperand[];
  readonly attrs: Attrs;
  readonly result: ValueOperand;
}

/** Operators that only move elements: a weight stays one weight under them. */
const layoutOps: ReadonlySet<string> = new Set(["transpose", "reshape", "cast"]);

/** Twenty times the operators of a transformer with a hundred layers. */
const maxOps = 2 ** 17;

/**
 * Key prefix of constants in the weight store. It holds a character that no module path has, so no weight's name begins
 * with it.
 */
export const constantPrefix = "constant:";

export function createImportContext(name: string, labelOf: (weight: string) => Label, meter: FoldMeter): ImportContext {
  const builder = createBuilder(name, "import");
  const weights = new Map<string, Tensor>();
  const storedWeights = new Map<string, StoredWeight>();
  const sources = new Map<ValueId, string>();
  const params = new Map<string, ValueId>();
  let pending: PendingOp[] = [];
  let depth = 0;
  let emitted = 0;

  const typeOf = (operand: GraphOperand): TensorType => {
    if (operand.kind === "value") return operand.type;
    if (operand.kind === "constant") return { label: "public", element: operand.element, shape: operand.tensor.shape };
    return { label: labelOf(operand.weight.name), element: { kind: "f32" }, shape: operand.tensor.shape };
  };
  const tried = new Map<string, number>();
  /** The base, or the base with the next free number: searched once, however many have the same base. */
  const freeKey = (base: string, mark: string): string => {
    let key = base;
    let n = tried.get(base) ?? 1;
    for (; weights.has(key); n++) key = `${base}${mark}${n}`;
    tried.set(base, n);
    return key;
  };
  const storeConstant = (operand: ConstantOperand): ValueId => {
    const content = digest(operand);
    const known = params.get(content);
    if (known !== undefined) return known;
    const key = freeKey(`${constantPrefix}${displayName(operand.name)}`, "_");
    weights.set(key, operand.tensor);
    const id = builder.param(key.slice(constantPrefix.length), typeOf(operand), key);
    params.set(content, id);
    sources.set(id, operand.name);
    return id;
  };
  const storeWeight = (operand: WeightOperand): ValueId => {
    const { weight, views } = operand;
    const whole = `weight ${weight.name} ${JSON.stringify(views)}`;
    const known = params.get(whole);
    if (known !== undefined) return known;
    // One weight in several layouts, as tied embeddings are: each layout is stored.
    const key = freeKey(weight.name, ":");
    weights.set(key, operand.tensor);
    storedWeights.set(key, { weight: weight.name, views });
    const id = builder.param(displayName(weight.name), typeOf(operand), key);
    params.set(whole, id);
    sources.set(id, weight.source.name);
    return id;
  };
  const idOf = (operand: GraphOperand): ValueId => {
    if (operand.kind === "value") return operand.id;
    return operand.kind === "constant" ? storeConstant(operand) : storeWeight(operand);
  };

  return {
    builder,
    weights,
    storedWeights,
    sources,
    meter,
    idOf,
    emit: (op, operands, attrs = {}) => {
      const def = opDef(op);
      const given = withDefaults(def, attrs);
      checkArity(def, operands.length);
      const types = operands.map(typeOf);
      const type = resultType(def, types, given);
      checkShape(type.shape);
      checkIndices(op, operands, given);
      const shapes = types.map(({ shape }) => shape);
      if (isNoOp(op, operands, types, type, given)) return operands[0]!;
      const [first] = operands;
      if (operands.every((operand) => operand.kind === "constant")) {
        const element = type.element as PlainElement;
        meter(op, shapes, type.shape, given);
        const tensor = evaluateOp(
          op,
          operands.map((operand) => operand.tensor),
          given,
          element,
        );
        return { kind: "constant", tensor, element, name: operands[0]?.name ?? op };
      }
      if (operands.length === 1 && first!.kind === "weight" && layoutOps.has(op) && !isFixed(type.element)) {
        if (type.element.kind === "f32") {
          if (first!.views.length === maxViews) throw new Error(`expected at most ${maxViews} layouts of one weight`);
          meter(op, shapes, type.shape, given);
          const tensor = evaluateOp(op, [first!.tensor], given, type.element);
          return { ...first!, tensor, views: [...first!.views, { op, attrs: given }] };
        }
      }
      if (++emitted > maxOps) throw new Error(`expected at most ${maxOps} operators after loops are unrolled`);
      const result: ValueOperand = { kind: "value", type, id: "" };
      pending.push({ name: op, operands, attrs: given, result });
      return result;
    },
    flush: (origin, outputs) => {
      const wanted = new Map(outputs.map(([output, operand]) => [operand, output]));
      const base = displayName(outputs[0]?.[0] ?? origin);
      for (const { name: op, operands, attrs, result } of pending) {
        const output = wanted.get(result);
        const named = output === undefined ? `${base}.${op}` : displayName(output);
        result.id = builder.op(op, operands.map(idOf), attrs, { result: named, origin });
        if (output !== undefined && depth === 0) sources.set(result.id, output);
      }
      pending = [];
      // A value computed inside a node's graph has its source as an output of the node.
      for (const [output, operand] of outputs) {
        if (operand.kind === "value" && depth === 0 && !sources.has(operand.id)) sources.set(operand.id, output);
      }
    },
    discard: () => {
      pending = [];
    },
    withoutSources: (build) => {
      depth++;
      try {
        build();
      } finally {
        depth--;
      }
    },
  };
}

/** Operators that change nothing here. */
function isNoOp(
  op: string,
  operands: readonly GraphOperand[],
  types: readonly TensorType[],
  type: TensorType,
  attrs: Attrs,
) {
  const [from] = types;
  if (!from || !sameShape(from.shape, type.shape) || from.element.kind !== type.element.kind) return false;
  if (op === "cast" || op === "reshape" || op === "expand") return true;
  if (op === "concat") return operands.length === 1;
  if (op === "transpose") return (attrs.perm as readonly number[]).every((axis, index) => axis === index);
  return op === "slice" && (attrs.steps as readonly number[]).every((step) => step === 1);
}

function digest({ tensor, element }: ConstantOperand): string {
  const bytes = new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  return `${element.kind} [${tensor.shape.join()}] ${createHash("sha256").update(bytes).digest("hex")}`;
}

/** `/model/layers.0/mlp/Mul_output_0` becomes `model.layers.0.mlp.Mul`. */
export function displayName(name: string): string {
  return name
    .replace(/^\/+/, "")
    .replace(/_output_0$/, "")
    .replaceAll("/", ".")
    .replaceAll("::", ".");
}

/** Known indices must be valid: nothing checks them again before the program runs. */
function checkIndices(op: string, [data, indices]: readonly GraphOperand[], attrs: Attrs): void {
  if (op !== "gather" || data === undefined || indices?.kind !== "constant") return;
  const shape = data.kind === "value" ? data.type.shape : data.tensor.shape;
  const size = shape[axisOf(Number(attrs.axis), shape.length)]!;
  for (const index of indices.tensor.data) wrapIndex(index, size);
}
