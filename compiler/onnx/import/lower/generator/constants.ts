import { scalar, tensor } from "../../../../../ir/tensor.ts";
import { bool, f32, i64, type PlainElement, sizeOf } from "../../../../../ir/type.ts";
import { type NarrowType, narrowTypeOf } from "../../../../tensors/index.ts";
import { elementOfDtype } from "../../../weights/index.ts";
import {
  type GraphOperand,
  inputOf,
  intAttr,
  knownInput,
  type LowerContext,
  type LowerTable,
  refuseNode,
  requiredInput,
} from "../../graph/index.ts";

/** Elements of one folded constant: a shape from a hostile file must not take all memory. */
const maxFoldedSize = 2 ** 24;

function checkedSize(shape: readonly number[]): number {
  const size = sizeOf(shape);
  if (!(size >= 0 && size <= maxFoldedSize))
    refuseNode(`expected at most ${maxFoldedSize} elements, found [${shape.join(", ")}]`);
  return size;
}

function constantNode(context: LowerContext) {
  const { node, constant, read } = context;
  for (const [name, attribute] of node.attributes) {
    if (attribute.kind === "tensor") return constant(read(attribute.value), elementOfDtype(attribute.value.dtype));
    if (name === "value_float" && attribute.kind === "float") return constant(scalar(attribute.value), f32);
    if (name === "value_int" && attribute.kind === "int") return constant(scalar(attribute.value), i64);
    if (attribute.kind === "ints" || attribute.kind === "floats") {
      const element = attribute.kind === "ints" ? i64 : f32;
      return constant(tensor([attribute.value.length], attribute.value), element);
    }
  }
  return refuseNode("expected a tensor, number or list of numbers");
}

function range(context: LowerContext) {
  const names = ["start", "limit", "delta"];
  const [start, limit, delta] = names.map((name, position) => requiredInput(context, position, name).data[0]!);
  const count = Math.max(0, Math.ceil((limit! - start!) / delta!));
  checkedSize([count]);
  const data = Float64Array.from({ length: count }, (_, index) => start! + index * delta!);
  return context.constant(tensor([count], data), context.element(inputOf(context, 0, "start")));
}

/** a − b · round(a / b): on integers the sign is the divisor's, as in Python; with fmod the dividend's, as in C. */
function mod(context: LowerContext): GraphOperand {
  const { emit, element } = context;
  const [a, b] = [inputOf(context, 0, "A"), inputOf(context, 1, "B")];
  const quotient = floatQuotient(context, a, b);
  const rounded = intAttr(context, "fmod", 0) === 0 ? emit("floor", [quotient]) : towardZero(context, quotient);
  return emit("sub", [a, emit("mul", [b, emit("cast", [rounded], { to: element(a).kind })])]);
}

function floatQuotient({ emit }: LowerContext, a: GraphOperand, b: GraphOperand): GraphOperand {
  return emit(
    "div",
    [a, b].map((operand) => emit("cast", [operand], { to: "f32" })),
  );
}

/** sign(q) · floor(|q|) */
const towardZero = ({ emit }: LowerContext, quotient: GraphOperand): GraphOperand =>
  emit("mul", [emit("sign", [quotient]), emit("floor", [emit("abs", [quotient])])]);

/**
 * Rounds toward zero on integers. A quotient of secrets is approximate and may fall on the wrong side of an integer.
 * Floor has no protocol, so integer division of secrets is refused instead of wrong.
 */
function div(context: LowerContext) {
  const { emit, element } = context;
  const [a, b] = [inputOf(context, 0, "A"), inputOf(context, 1, "B")];
  if (element(a).kind !== "i64" || [a, b].every(({ kind }) => kind === "constant")) return emit("div", [a, b]);
  return emit("cast", [towardZero(context, floatQuotient(context, a, b))], { to: "i64" });
}

/** TensorProto.DataType by element of the IR. */
const castTargets: readonly (readonly [PlainElement, readonly number[]])[] = [
  [f32, [1, 10, 11, 16]],
  [i64, [2, 3, 4, 5, 6, 7, 12, 13]],
  [bool, [9]],
];

function cast(context: LowerContext) {
  const to = intAttr(context, "to", 0);
  const narrow = narrowTypeOf(to);
  if (narrow) return narrowed(context, narrow);
  const found = castTargets.find(([, numbers]) => numbers.includes(to));
  if (!found)
    return refuseNode(
      `expected a cast to a float, an integer or a boolean, found ${unsupportedCastTypes[to] ?? `ONNX data type ${to}`}`,
    );
  return castTo(context, inputOf(context, 0, "input"), found[0].kind);
}

const unsupportedCastTypes: Readonly<Record<number, string>> = { 8: "text", 14: "complex64", 15: "complex128" };

/** Casts to a boolean compare a secret with 0: its last bit alone does not decide. */
function castTo({ emit, element, constant }: LowerContext, input: GraphOperand, to: PlainElement["kind"]) {
  const isSecret = input.kind === "value" && input.type.label === "shared";
  if (to !== "bool" || !isSecret || element(input).kind !== "f32") return emit("cast", [input], { to });
  return emit("not", [emit("compare", [input, constant(tensor([], [0]), f32)], { kind: "equal" })]);
}

/**
 * Known values are rounded at once. Secrets have fractional bits that the compiler chooses, so this type does not
 * apply.
 */
function narrowed(context: LowerContext, { name, widened, round }: NarrowType) {
  const input = inputOf(context, 0, "input");
  if (input.kind !== "constant")
    return refuseNode(`a cast of secrets or weights to ${name}: fixed point has no such type`);
  const saturate = intAttr(context, "saturate", 1) !== 0;
  const { shape, data } = input.tensor;
  const rounded = data.map((x) => round(x, saturate));
  return context.constant(tensor(shape, rounded), elementOfDtype(widened));
}

/** Elements of a stored tensor know their type; for others the element kind is enough. */
function castLike(context: LowerContext) {
  const narrow = context.narrowOf(1);
  if (narrow) return narrowed(context, narrow);
  const to = context.element(inputOf(context, 1, "target_type")).kind;
  return castTo(context, inputOf(context, 0, "input"), to);
}

/** Ones on a diagonal of a matrix of the input's shape. */
function eyeLike(context: LowerContext) {
  const input = inputOf(context, 0, "input");
  const [rows, columns, ...more] = context.shape(input);
  if (rows === undefined || columns === undefined || more.length > 0) return refuseNode("expected a matrix");
  const offset = intAttr(context, "k", 0);
  const to = intAttr(context, "dtype", 0);
  const element = castTargets.find(([, numbers]) => numbers.includes(to))?.[0] ?? context.element(input);
  const data = new Float64Array(checkedSize([rows, columns])).map((_, at) =>
    Number((at % columns) - Math.floor(at / columns) === offset),
  );
  return context.constant(tensor([rows, columns], data), element);
}

/** Values that are known at import, and operators that return their input. */
export const constantLowerings: LowerTable = {
  Constant: constantNode,
  ConstantOfShape: (context) => {
    const shape = [...requiredInput(context, 0, "input").data];
    const value = context.node.attributes.get("value");
    const fill = value?.kind === "tensor" ? context.read(value.value).data[0]! : 0;
    const element = value?.kind === "tensor" ? elementOfDtype(value.value.dtype) : f32;
    return context.constant(tensor(shape, new Float64Array(checkedSize(shape)).fill(fill)), element);
  },
  EyeLike: eyeLike,
  Range: range,
  Mod: mod,
  Div: div,
  Identity: (context) => inputOf(context, 0, "input"),
  Cast: cast,
  CastLike: castLike,
  Dropout: (context) => {
    const training = knownInput(context, 2, "training_mode")?.data[0] ?? 0;
    if (training !== 0) refuseNode("dropout in training mode: export the model with model.eval()");
    const input = inputOf(context, 0, "data");
    if (!context.node.outputs[1]) return input;
    const ones = new Float64Array(checkedSize(context.shape(input))).fill(1);
    return [input, context.constant(tensor(context.shape(input), ones), bool)];
  },
};
