import { fail } from "./diagnostic.ts";
import { locationOf, scaleOf } from "./infer.ts";
import { type Attrs, type Module, type Op, opsOf, typeOf, type ValueId } from "./module.ts";
import type { OpDef } from "./ops/define.ts";
import { gather } from "./ops/gather.ts";
import { opDef, withDefaults } from "./registry.ts";
import { hasData, shapeOnlyTensor, type Tensor, type WeightStore } from "./tensor.ts";
import { type Element, isBit, isFixed, sameShape, type TensorType } from "./type.ts";

export interface InterpretOptions {
  /** Replaces a computed value, to study errors. Values in fixed point are raw integers. */
  readonly adjust?: (id: ValueId, raw: Tensor, op: Op | undefined) => Tensor;
  /** Rounds every f32 value to single precision, as ONNX Runtime would hold it. */
  readonly float32?: boolean;
  /** Position of the query, from which params take rows of their weight (`Module.positionRows`). */
  readonly position?: number;
  /** Receives each value once it is computed: the real numbers, and the integers of a value in fixed point. */
  readonly observe?: (id: ValueId, value: Tensor, raw: Tensor) => void;
}

/** Integers up to this are exact in float64, and so are sums and differences of two before the check. */
const exactLimit = 2 ** 53;

// Loops over plain indices from here on: every element of every value passes through, and a callback costs more.
function scaled(value: Tensor, factor: number): Tensor {
  if (factor === 1) return value;
  const { shape, data } = value;
  const out = new Float64Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = data[i]! * factor;
  return { shape, data: out };
}

/** Real numbers that a raw value of this element represents. */
export function toReal(raw: Tensor, element: Element): Tensor {
  return isFixed(element) ? scaled(raw, 2 ** -element.scale) : raw;
}

/** Nearest integers at a scale, halves up. */
export function toRaw({ shape, data }: Tensor, scale: number): Tensor {
  const factor = 2 ** scale;
  const out = new Float64Array(data.length);
  for (let i = 0; i < out.length; i++) {
    // Math.round takes three times as long. All steps are exact, and −0 becomes 0: integers have one zero.
    const x = data[i]! * factor;
    const below = Math.floor(x);
    out[i] = below + Math.floor(2 * (x - below));
  }
  return { shape, data: out };
}

/**
 * Evaluates one operator on real numbers. An integer result drops its fraction, as ONNX divides integers. Meta tensors
 * (shape only) give a meta tensor.
 */
export function evaluateOp(name: string, operands: readonly Tensor[], attrs: Attrs = {}, element?: Element): Tensor {
  const def = opDef(name);
  if (!operands.every(hasData)) {
    const shapes = operands.map((operand) => operand.shape);
    return shapeOnlyTensor(def.shape(shapes, withDefaults(def, attrs)));
  }
  const result = def.evaluate(operands, withDefaults(def, attrs));
  return element?.kind === "i64" ? { shape: result.shape, data: result.data.map(Math.trunc) } : result;
}

const widerRange =
  "calibrate on inputs of larger magnitude (--calibrate): the range of this value, or its ring, is too small";
const widerWeight = "bound the weights by their own powers of two: run `marillc compile` with --publish-ranges";

/** `counted`: readers take the residue as unsigned, as they do ranks and indices, so it may use the sign bit. */
function checkRing(
  raw: Tensor,
  element: Element,
  what: string,
  at: string,
  counted = false,
  help = widerRange,
): Tensor {
  if (!isFixed(element)) return raw;
  // The ring of width 1 holds 0 and 1, all others are signed.
  const least = isBit(element) ? 0 : -Math.min(2 ** (element.width - 1), exactLimit);
  const limit = isBit(element) ? 2 : counted ? -2 * least : -least;
  const { data } = raw;
  let count = 0;
  let first = 0;
  for (let i = 0; i < data.length; i++) {
    const x = data[i]!;
    // NaN leaves it too.
    if (x >= least && x < limit && x > -exactLimit) continue;
    if (count === 0) first = x;
    count += 1;
  }
  if (count === 0) return raw;
  const unit = 2 ** -element.scale;
  const found = Number.isNaN(first) ? "an integer beyond 2^53" : `${first * unit}`;
  return fail({
    code: "MRL0390",
    message: `${what}: value leaves its ring: fx${element.width}.${element.scale} holds ${least * unit} to ${(limit - 1) * unit}, found ${found}`,
    at,
    because: [`${count} of ${raw.data.length} elements`],
    help,
  });
}

/** Converts an input or a weight to the element of its type. */
function admit(found: Tensor | undefined, type: TensorType, at: string, options: InterpretOptions): Tensor {
  if (!found) return fail({ code: "MRL0391", message: "expected a tensor, found none", at });
  if (!sameShape(found.shape, type.shape)) {
    const message = `expected a tensor of shape [${type.shape.join(", ")}], found [${found.shape.join(", ")}]`;
    return fail({ code: "MRL0392", message, at });
  }
  if (isFixed(type.element)) {
    const help = at.startsWith("param") ? widerWeight : widerRange;
    return checkRing(toRaw(found, type.element.scale), type.element, "quantize", at, false, help);
  }
  return roundToElement(found, type.element, options);
}

/** The weight, or the rows that a param takes of it, starting at the position. */
function weightRows(module: Module, id: ValueId, found: Tensor | undefined, position?: number): Tensor | undefined {
  const weight = module.params[id]!;
  const where = module.positionRows?.[weight];
  if (!where || !found) return found;
  const count = typeOf(module, id).shape[where.axis]!;
  const last = where.rows - count;
  if (position === undefined || !(position >= 0 && position <= last)) {
    const message = `expected a position from 0 to ${last}, found ${position ?? "none"}`;
    return fail({ code: "MRL0391", message, at: `weight ${JSON.stringify(weight)}` });
  }
  const rows = Float64Array.from({ length: count }, (_, row) => position + row);
  return gather.evaluate([found, { shape: [count], data: rows }], { axis: where.axis });
}

function roundToElement(value: Tensor, element: Element, options: InterpretOptions): Tensor {
  if (element.kind === "i64") return { shape: value.shape, data: value.data.map(Math.trunc) };
  if (element.kind !== "f32" || !options.float32) return value;
  return { shape: value.shape, data: value.data.map(Math.fround) };
}

/** Applies the operator's fixed-point rule; see OpDef.fixed. */
function computeFixed(
  def: OpDef,
  attrs: Attrs,
  raw: readonly Tensor[],
  types: readonly Element[],
  scale: number,
): Tensor {
  if (typeof def.fixed === "function") return def.fixed(raw, attrs, types.map(scaleOf), scale);
  if (def.fixed === "integers") return def.evaluate(raw, attrs);
  const reals = raw.map((operand, index) => toReal(operand, types[index]!));
  return toRaw(def.evaluate(reals, attrs), scale);
}

/**
 * Whether a residue stands for a value that its ring does not hold. A narrow whose result has tighter bounds than its
 * operand is followed by a product or a sum that brings the result back into the ring, for which the residue is enough;
 * the interpreter goes on with the whole value, whose result is the same. An opened value was checked before.
 */
function isResidue({ values }: Module, { name, operands, result }: Op): boolean {
  const [whole, cut] = [values[operands[0]!]?.range, values[result]?.range];
  if (name === "open") return true;
  return name === "narrow" && whole !== undefined && cut !== undefined && (cut.lo > whole.lo || cut.hi < whole.hi);
}

function compute(module: Module, op: Op, raw: readonly Tensor[], options: InterpretOptions): Tensor {
  const def = opDef(op.name);
  const attrs = withDefaults(def, op.attrs);
  const elements = op.operands.map((id) => typeOf(module, id).element);
  const { element } = typeOf(module, op.result);
  if (isFixed(element)) {
    const counted = elements.some((operand, index) => isFixed(operand) && !def.selectors?.includes(index));
    // No operand is in fixed point: here reals become integers (share).
    const result = counted
      ? computeFixed(def, attrs, raw, elements, element.scale)
      : toRaw(def.evaluate(raw, attrs), element.scale);
    if (isResidue(module, op)) return result;
    const range = module.values[op.operands[0]!]?.range;
    const fractionBits =
      (op.name === "narrow" || op.name === "open") && element.scale === 0 && range !== undefined && range.lo >= 0;
    return checkRing(result, element, op.name, locationOf(op), fractionBits);
  }
  const reals = raw.map((operand, index) => toReal(operand, elements[index]!));
  return roundToElement(def.evaluate(reals, attrs), element, options);
}

/**
 * `compute` with errors as diagnostics: op tables throw plain Errors for what shapes do not show, as an index out of
 * range.
 */
function computeOp(module: Module, op: Op, raw: readonly Tensor[], options: InterpretOptions): Tensor {
  try {
    return compute(module, op, raw, options);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "Error") throw error;
    return fail({ code: "MRL0393", message: `${op.name}: ${error.message}`, at: locationOf(op) });
  }
}

/**
 * Runs the module. Outputs in fixed point are raw integers, all others real numbers. Before 4-quantize this is the
 * float64 meaning of the graph; from there on it defines the quantized program. Each value is dropped after its last
 * use. Throws MRL0390 to MRL0393.
 */
export const interpretRaw = (
  module: Module,
  weights: WeightStore,
  inputs: ReadonlyMap<string, Tensor>,
  options: InterpretOptions = {},
): Map<ValueId, Tensor> => interpretTogether(module, weights, inputs, [options.adjust], options)[0]!;

/**
 * Several runs on the same inputs that differ in how they adjust values, operator by operator: what a weight is before
 * that is computed once for all of them. The outputs of each run, as `interpretRaw` gives them.
 */
export function interpretTogether(
  module: Module,
  weights: WeightStore,
  inputs: ReadonlyMap<string, Tensor>,
  adjusts: readonly InterpretOptions["adjust"][],
  options: Omit<InterpretOptions, "adjust"> = {},
): Map<ValueId, Tensor>[] {
  const ops = opsOf(module);
  const uses = new Map<ValueId, number>();
  for (const id of [...ops.flatMap((op) => op.operands), ...module.outputs]) uses.set(id, (uses.get(id) ?? 0) + 1);
  /** Inputs and weights before they are adjusted. */
  const given = new Map<ValueId, Tensor>();
  for (const id of module.inputs) given.set(id, admit(inputs.get(id), typeOf(module, id), `input %${id}`, options));
  const paramOf = (id: ValueId): Tensor => {
    const weight = module.params[id]!;
    const found =
      given.get(id) ??
      admit(
        weightRows(module, id, weights.get(weight), options.position),
        typeOf(module, id),
        `param %${id} = ${JSON.stringify(weight)}`,
        options,
      );
    given.set(id, found);
    return found;
  };
  const runs = adjusts.map((adjust) => {
    const values = new Map<ValueId, Tensor>();
    const keep = (id: ValueId, exact: Tensor, op?: Op): void => {
      const raw = adjust?.(id, exact, op) ?? exact;
      options.observe?.(id, toReal(raw, typeOf(module, id).element), raw);
      if (uses.has(id)) values.set(id, raw);
    };
    const read = (id: ValueId): Tensor => {
      if (module.params[id] !== undefined && !values.has(id)) keep(id, paramOf(id));
      return values.get(id)!;
    };
    for (const id of module.inputs) keep(id, given.get(id)!);
    return { values, keep, read };
  });
  for (const op of ops) {
    const left = new Map(op.operands.map((id) => [id, uses.get(id)!]));
    for (const id of op.operands) left.set(id, left.get(id)! - 1);
    for (const { values, keep, read } of runs) {
      const result = computeOp(module, op, op.operands.map(read), options);
      for (const [id, count] of left) if (count === 0) values.delete(id);
      keep(op.result, result, op);
    }
    for (const [id, count] of left) {
      uses.set(id, count);
      if (count === 0) given.delete(id);
    }
  }
  return runs.map(({ read }) => new Map(module.outputs.map((id) => [id, read(id)])));
}

/** interpretRaw with all outputs as real numbers. */
export function interpret(
  module: Module,
  weights: WeightStore,
  inputs: ReadonlyMap<string, Tensor>,
  options: InterpretOptions = {},
): Map<ValueId, Tensor> {
  const raw = interpretRaw(module, weights, inputs, options);
  return new Map([...raw].map(([id, value]) => [id, toReal(value, typeOf(module, id).element)]));
}
