import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { type Attrs, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { opDef } from "../../ir/registry.ts";
import { scalar } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import { formatOp } from "../graph.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, derivedParam, type OpRule, publicScalar, rewriteOps } from "./draft.ts";
import { compareTruncated } from "./truncated-comparison.ts";

/**
 * Rewrites operators that no protocol computes, or only at a higher cost, in terms of others. Each law is exact on real
 * numbers and stands above its rule. Rules apply to secret values only. Throws MRL0490 for every unknown exponent.
 */
export function decompose(state: SplitState): SplitState {
  const { module, weights } = state;
  throwIfAny(
    opsOf(module).flatMap((op) => {
      const exponent = op.operands[1] === undefined ? undefined : weights.get(module.params[op.operands[1]] ?? "");
      return op.name === "pow" && exponent === undefined ? [unknownPower(op)] : [];
    }),
  );
  return [powers, simple, inverseRoots].reduce((done, rules) => rewriteOps(done, apply(rules)), state);
}

/**
 * √v = v · rsqrt(v), where no protocol computes roots. Behind `decompose`: a root that only divides has become an inverse
 * root by then.
 */
export const decomposeRoots = (state: SplitState): SplitState => rewriteOps(state, apply(squareRoots));

type Rules = Readonly<Record<string, OpRule>>;

const apply =
  (rules: Rules): OpRule =>
  (op, draft) => {
    const secret = op.operands.some((id) => draft.type(id).label === "shared");
    return secret && Object.hasOwn(rules, op.name) ? rules[op.name]!(op, draft) : undefined;
  };

const emit = (
  draft: Draft,
  op: Op,
  suffix: string,
  name: string,
  operands: readonly ValueId[],
  attrs: Attrs = {},
): ValueId => draft.emit(name, operands, attrs, `${op.result}.${suffix}`);

type Power = (op: Op, draft: Draft, x: ValueId) => ValueId;
const roots: ReadonlyMap<number, Power> = new Map<number, Power>([
  [0.5, (op, draft, x) => emit(draft, op, "sqrt", "sqrt", [x])],
  [-0.5, (op, draft, x) => emit(draft, op, "rsqrt", "rsqrt", [x])],
]);

/** Integer powers up to this, of either sign, become products, which are defined for negative numbers too. */
const maxIntegerPower = 8;

/** x^n by squares, n ≥ 1. */
function powerBySquaring(op: Op, draft: Draft, x: ValueId, n: number): ValueId {
  if (n === 1) return x;
  const half = powerBySquaring(op, draft, x, n % 2 === 0 ? n / 2 : n - 1);
  return emit(draft, op, `power${n}`, "mul", n % 2 === 0 ? [half, half] : [half, x]);
}

const integerPower =
  (n: number): Power =>
  (op, draft, x) => {
    const power = powerBySquaring(op, draft, x, Math.abs(n));
    return n > 0 ? power : emit(draft, op, "reciprocal", "reciprocal", [power]);
  };

/** x^y = e^(y·ln x), for positive x. */
const byLogarithm: Power = (op, draft, x) => {
  const logarithm = emit(draft, op, "log", "log", [x]);
  return emit(draft, op, "exp", "exp", [emit(draft, op, "exponent", "mul", [logarithm, op.operands[1]!])]);
};

function powerOf(exponent: Float64Array): Power {
  const first = exponent[0];
  if (first === undefined || !exponent.every((x) => x === first)) return byLogarithm;
  const isProduct = Number.isInteger(first) && first !== 0 && Math.abs(first) <= maxIntegerPower;
  return roots.get(first) ?? (isProduct ? integerPower(first) : byLogarithm);
}

const unknownPower = (op: Op): Diagnostic => ({
  code: "MRL0490",
  message: "pow on a secret: expected a constant exponent, found a computed one",
  at: op.origin,
  because: [formatOp(op)],
});

const powers: Rules = {
  // x² = x·x, x³ = x²·x, x^½ = √x, x^y = e^(y·ln x)
  pow: (op, draft) => {
    const [x, exponent] = op.operands as [ValueId, ValueId];
    if (!draft.isParam(exponent)) return undefined;
    // Which law applies shows in the program, so it must not depend on a private exponent.
    const power = draft.type(exponent).label === "public" ? powerOf(draft.weight(exponent).data) : byLogarithm;
    return power(op, draft, x);
  },
};

const isPublic = (draft: Draft, id: ValueId): boolean => draft.isParam(id) && draft.type(id).label === "public";

const isZero = (draft: Draft, id: ValueId): boolean => draft.isParam(id) && draft.weight(id).data.every((x) => x === 0);

/** Both operands, a private weight second, if neither is public: protocols exist for public operands. */
function unknowns(op: Op, draft: Draft): readonly [x: ValueId, y: ValueId] | undefined {
  const [x, y] = op.operands as [ValueId, ValueId];
  const labels = [x, y].map((id) => draft.type(id).label);
  if (!labels.every((label) => label === "shared" || label === "server")) return undefined;
  return labels[0] === "server" ? [y, x] : [x, y];
}

/**
 * relu(x − y): for maxima and minima of two values of which neither is public. The calibrated range of their difference
 * needs at most the ring that their own bounds need, and often less.
 */
const reluOfDifference = (draft: Draft, op: Op, x: ValueId, y: ValueId): ValueId =>
  emit(draft, op, "relu", "relu", [emit(draft, op, "beyond", "sub", [x, y])]);

type DerivedOperand = Parameters<typeof derivedParam>[3][number];

const computes: ReadonlySet<string> = new Set(["compare", "logic", "cast"]);

/**
 * Whether a condition is computed under MPC. Then it is a bit, and a conversion to a number opens it. A condition that
 * enters as shares may enter in any ring, and is a number at no cost.
 */
function isComputed(draft: Draft, condition: ValueId): boolean {
  const op = draft.producer(condition);
  if (!op) return false;
  const conditions = op.operands.filter((id) => draft.type(id).element.kind === "bool");
  return computes.has(op.name) || conditions.some((id) => isComputed(draft, id));
}

/** c, if the value is the cast of a computed condition c to a number. */
function uncastCondition(draft: Draft, id: ValueId): ValueId | undefined {
  const op = draft.producer(id);
  const [c] = op?.operands ?? [];
  const counted = op?.name === "cast" && c !== undefined && draft.type(c).element.kind === "bool";
  return counted && isComputed(draft, c) ? c : undefined;
}

/**
 * The sum of both sides of a known selection, or one side alone if the other is 0: factors of 0 and 1 keep the scale.
 */
function selectByMask(op: Op, draft: Draft): ValueId {
  const [condition, x, y] = op.operands as [ValueId, ValueId, ValueId];
  const holds = { value: draft.weight(condition), label: "public" } as const;
  const [none, all] = [0, 1].map((number) => ({ value: scalar(number), label: "public" }) as const);
  const side = (suffix: string, id: ValueId, choose: (given: DerivedOperand) => readonly DerivedOperand[]): ValueId => {
    const name = `${draft.weightName(condition)} ${suffix}`;
    if (!draft.isParam(id))
      return emit(draft, op, suffix, "mul", [id, derivedParam(draft, name, "where", choose(all!))]);
    const known = { value: draft.weight(id), label: draft.type(id).label };
    return derivedParam(draft, `${name} ${draft.weightName(id)}`, "where", choose(known));
  };
  const fills = (id: ValueId): boolean => sameShape(draft.type(id).shape, draft.type(op.result).shape);
  const chosen = side("chosen", x, (given) => [holds, given, none!]);
  if (isZero(draft, y) && fills(chosen)) return chosen;
  const other = side("other", y, (given) => [holds, none!, given]);
  return isZero(draft, x) && fills(other) ? other : emit(draft, op, "where", "add", [chosen, other]);
}

/** Attributes of the transpose that swaps the last two axes. */
const swapLastAxesAttrs = (rank: number): Attrs => ({
  perm: Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis)),
});

const simple: Rules = {
  compare: compareTruncated,
  // W·x = (xᵀ·Wᵀ)ᵀ: protocols expect the weight on the right
  matmul: (op, draft) => {
    const [w, x] = op.operands as [ValueId, ValueId];
    const [rows, inner] = [w, x].map((id) => draft.type(id).shape.length);
    if (!draft.isParam(w) || draft.type(w).label !== "server" || rows! < 2 || inner! < 2) return undefined;
    const given = { value: draft.weight(w), label: "server" } as const;
    const turned = derivedParam(draft, `${draft.weightName(w)} turned`, "transpose", [given], swapLastAxesAttrs(rows!));
    const product = emit(draft, op, "turned", "matmul", [
      emit(draft, op, "columns", "transpose", [x], swapLastAxesAttrs(inner!)),
      turned,
    ]);
    return emit(draft, op, "rows", "transpose", [product], swapLastAxesAttrs(draft.type(product).shape.length));
  },
  // −x = 0 − x, which keeps the scale
  neg: (op, draft) => emit(draft, op, "negated", "sub", [publicScalar(draft, 0), op.operands[0]!]),
  // x / c = x · (1/c)
  div: (op, draft) => {
    const [x, y] = op.operands as [ValueId, ValueId];
    if (!draft.isParam(y)) return undefined;
    const inverse = opDef("reciprocal").evaluate([draft.weight(y)], {});
    const factor = draft.param(`1/${draft.weightName(y)}`, inverse, draft.type(y).label);
    return emit(draft, op, "quotient", "mul", [x, factor]);
  },
  // mean(x) = Σx · (1/n)
  "reduce-mean": (op, draft) => {
    const sum = emit(draft, op, "sum", "reduce-sum", op.operands, op.attrs);
    const count = (id: ValueId): number => draft.type(id).shape.reduce((all, n) => all * n, 1);
    const factor = publicScalar(draft, count(sum) / count(op.operands[0]!));
    return emit(draft, op, "mean", "mul", [sum, factor]);
  },
  // max(x, 0) = relu(x), max(x, y) = relu(x − y) + y
  maximum: (op, draft) => {
    const zero = op.operands.findIndex((id) => isZero(draft, id));
    if (zero >= 0) return emit(draft, op, "relu", "relu", [op.operands[1 - zero]!]);
    const [x, y] = unknowns(op, draft) ?? [];
    if (x === undefined || y === undefined) return undefined;
    return emit(draft, op, "max", "add", [reluOfDifference(draft, op, x, y), y]);
  },
  // min(x, y) = y − relu(y − x)
  minimum: (op, draft) => {
    const [x, y] = unknowns(op, draft) ?? [];
    if (x === undefined || y === undefined) return undefined;
    return emit(draft, op, "min", "sub", [y, reluOfDifference(draft, op, y, x)]);
  },
  // ¬c = 1 − c for a condition that entered as 0 or 1; the result is a number
  not: (op, draft) => {
    const [c] = op.operands as [ValueId];
    return isComputed(draft, c) ? undefined : emit(draft, op, "complement", "sub", [publicScalar(draft, 1), c]);
  },
  // cast(c) = c for a condition that entered as 0 or 1
  cast: (op, draft) => {
    const [c] = op.operands as [ValueId];
    const { kind } = draft.type(c).element;
    if (op.attrs.to !== "f32") return undefined;
    return kind === "f32" || (kind === "bool" && !isComputed(draft, c)) ? c : undefined;
  },
  // c·x = x where c holds, else 0: c needs no conversion to a number, and the product keeps the scale
  mul: (op, draft) => {
    const [x, y] = op.operands as [ValueId, ValueId];
    const choice = (c: ValueId | undefined, chosen: ValueId): ValueId | undefined =>
      c === undefined || draft.type(chosen).label !== "shared"
        ? undefined
        : emit(draft, op, "chosen", "where", [c, chosen, publicScalar(draft, 0)]);
    return choice(uncastCondition(draft, x), y) ?? choice(uncastCondition(draft, y), x);
  },
  // where(c, x, y) = c·x + (1 − c)·y for a public condition
  // where(c, x, y) = y + (x − y)·c for a condition that entered as 0 or 1, between public values
  where: (op, draft) => {
    const [condition, x, y] = op.operands as [ValueId, ValueId, ValueId];
    if (isPublic(draft, condition)) return selectByMask(op, draft);
    if (draft.type(condition).element.kind !== "bool" || isComputed(draft, condition)) return undefined;
    if (![x, y].every((id) => isPublic(draft, id))) return undefined;
    const between = derivedParam(draft, `${draft.weightName(x)}-${draft.weightName(y)}`, "sub", [
      { value: draft.weight(x), label: "public" },
      { value: draft.weight(y), label: "public" },
    ]);
    const chosen = emit(draft, op, "chosen", "mul", [between, condition]);
    return isZero(draft, y) ? chosen : emit(draft, op, "where", "add", [chosen, y]);
  },
};

/** v, if the value is √v. */
function radicand(draft: Draft, id: ValueId): ValueId | undefined {
  const op = draft.producer(id);
  return op?.name === "sqrt" ? op.operands[0] : undefined;
}

/** 1/√v as rsqrt(v), 1/y; of a repeated value, the repeated inverse: one for all copies. */
function inverseOf(op: Op, draft: Draft, y: ValueId): ValueId {
  const repeated = draft.producer(y);
  if (repeated?.name === "expand")
    return emit(draft, op, "repeated", "expand", [inverseOf(op, draft, repeated.operands[0]!)], repeated.attrs);
  const v = radicand(draft, y);
  return v === undefined ? emit(draft, op, "inverse", "reciprocal", [y]) : emit(draft, op, "rsqrt", "rsqrt", [v]);
}

const inverseRoots: Rules = {
  // x / √v = x · rsqrt(v), x / y = x · (1/y)
  div: (op, draft) => {
    const [x, y] = op.operands as [ValueId, ValueId];
    return emit(draft, op, "quotient", "mul", [x, inverseOf(op, draft, y)]);
  },
  // 1 / √v = rsqrt(v)
  reciprocal: (op, draft) => {
    const v = radicand(draft, op.operands[0]!);
    return v === undefined ? undefined : emit(draft, op, "rsqrt", "rsqrt", [v]);
  },
};

const squareRoots: Rules = {
  // √v = v · rsqrt(v)
  sqrt: (op, draft) =>
    emit(draft, op, "root", "mul", [op.operands[0]!, emit(draft, op, "rsqrt", "rsqrt", op.operands)]),
};
