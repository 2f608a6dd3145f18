import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { type Attrs, type Op, opsOf, type ValueId } from "../../ir/module.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { showOp } from "../graph.ts";
import type { SplitState } from "../pass.ts";
import { constant, type Draft, derived, type Rule, rewriteOps } from "./draft.ts";

/**
 * Operators that no protocol takes, in terms of those that one does. Each law is exact on real numbers and stands
 * above its rule; rules apply to secret values only.
 */
export function decompose(state: SplitState): SplitState {
  const { module, weights } = state;
  throwIfAny(
    opsOf(module).flatMap((op) => {
      const weight = op.operands[1] === undefined ? undefined : weights.get(module.params[op.operands[1]] ?? "");
      return op.name === "pow" && powerOf(weight?.data) === undefined ? [unknownPower(op)] : [];
    }),
  );
  // Roots last: a root that only divides is an inverse root, and whether it does shows once all divisions are written.
  return [powers, simple, inverseRoots, roots].reduce((done, rules) => rewriteOps(done, apply(rules)), state);
}

type Rules = Readonly<Record<string, Rule>>;

const apply =
  (rules: Rules): Rule =>
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
const exponents: ReadonlyMap<number, Power> = new Map<number, Power>([
  [1, (_op, _draft, x) => x],
  [2, (op, draft, x) => emit(draft, op, "square", "mul", [x, x])],
  [3, (op, draft, x) => emit(draft, op, "cube", "mul", [emit(draft, op, "square", "mul", [x, x]), x])],
  [0.5, (op, draft, x) => emit(draft, op, "sqrt", "sqrt", [x])],
  [-0.5, (op, draft, x) => emit(draft, op, "rsqrt", "rsqrt", [x])],
  [-1, (op, draft, x) => emit(draft, op, "reciprocal", "reciprocal", [x])],
]);

/** The rule for an exponent that is the same everywhere. */
function powerOf(exponent: Float64Array | undefined): Power | undefined {
  const first = exponent?.[0];
  return first !== undefined && exponent!.every((x) => x === first) ? exponents.get(first) : undefined;
}

const unknownPower = (op: Op): Diagnostic => ({
  code: "MRL0490",
  message: `pow on a secret: expected one public exponent of ${[...exponents.keys()].join(", ")}`,
  at: op.origin,
  because: [showOp(op)],
});

const powers: Rules = {
  // x² = x·x, x³ = x²·x, x^½ = √x
  pow: (op, draft) => {
    const [x, exponent] = op.operands as [ValueId, ValueId];
    return draft.isParam(exponent) ? powerOf(draft.weight(exponent).data)?.(op, draft, x) : undefined;
  },
};

/** x where x > 0, else 0: maximum and minimum by it. */
const relu = (draft: Draft, op: Op, x: ValueId): ValueId => emit(draft, op, "relu", "relu", [x]);

const isPublic = (draft: Draft, id: ValueId): boolean => draft.isParam(id) && draft.type(id).label === "public";

const isZero = (draft: Draft, id: ValueId): boolean => draft.isParam(id) && draft.weight(id).data.every((x) => x === 0);

/** max(x, c) = relu(x − c) + c */
function maximum(op: Op, draft: Draft, x: ValueId, c: ValueId): ValueId {
  if (isZero(draft, c)) return relu(draft, op, x);
  return emit(draft, op, "max", "add", [relu(draft, op, emit(draft, op, "above", "sub", [x, c])), c]);
}

/** min(x, c) = c − relu(c − x) */
function minimum(op: Op, draft: Draft, x: ValueId, c: ValueId): ValueId {
  return emit(draft, op, "min", "sub", [c, relu(draft, op, emit(draft, op, "below", "sub", [c, x]))]);
}

/** Both commute: the constant, or else any operand, takes the second place. */
function ordered(op: Op, draft: Draft): [ValueId, ValueId] {
  const [x, y] = op.operands as [ValueId, ValueId];
  return draft.isParam(x) ? [y, x] : [x, y];
}

const simple: Rules = {
  // −x = 0 − x, which keeps the scale
  neg: (op, draft) => emit(draft, op, "negated", "sub", [constant(draft, 0), op.operands[0]!]),
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
    const extent = (id: ValueId): number => draft.type(id).shape.reduce((all, n) => all * n, 1);
    const factor = constant(draft, extent(sum) / extent(op.operands[0]!));
    return emit(draft, op, "mean", "mul", [sum, factor]);
  },
  maximum: (op, draft) => maximum(op, draft, ...ordered(op, draft)),
  minimum: (op, draft) => minimum(op, draft, ...ordered(op, draft)),
  // clip(x) = min(max(x, lo), hi)
  clip: (op, draft) => {
    const { lo, hi } = withDefaults(opDef("clip"), op.attrs) as { lo: number; hi: number };
    const raised = lo === -Infinity ? op.operands[0]! : maximum(op, draft, op.operands[0]!, constant(draft, lo));
    return hi === Infinity ? raised : minimum(op, draft, raised, constant(draft, hi));
  },
  // ¬c = 1 − c for a condition that is 0 or 1; it is a number from here on
  not: (op, draft) => emit(draft, op, "complement", "sub", [constant(draft, 1), op.operands[0]!]),
  // A condition as a number is what it is shared as.
  cast: (op, draft) => {
    const [c] = op.operands as [ValueId];
    if (op.attrs.to !== "f32") return undefined;
    return ["f32", "bool"].includes(draft.type(c).element.kind) ? c : undefined;
  },
  // where(c, x, y) = y + (x − y)·c for a condition that is 0 or 1, between known numbers
  where: (op, draft) => {
    const [condition, x, y] = op.operands as [ValueId, ValueId, ValueId];
    if (draft.type(condition).element.kind !== "bool" || ![x, y].every((id) => isPublic(draft, id))) return undefined;
    const between = derived(draft, `${draft.weightName(x)}-${draft.weightName(y)}`, "sub", [
      { value: draft.weight(x), label: "public" },
      { value: draft.weight(y), label: "public" },
    ]);
    const chosen = emit(draft, op, "chosen", "mul", [between, condition]);
    return isZero(draft, y) ? chosen : emit(draft, op, "where", "add", [chosen, y]);
  },
  // |x| = relu(x) + (relu(x) − x)
  abs: (op, draft) => {
    const positive = relu(draft, op, op.operands[0]!);
    const negative = emit(draft, op, "negative", "sub", [positive, op.operands[0]!]);
    return emit(draft, op, "abs", "add", [positive, negative]);
  },
};

/** v, if the value is √v. */
function underRoot(draft: Draft, id: ValueId): ValueId | undefined {
  const op = draft.producer(id);
  return op?.name === "sqrt" ? op.operands[0] : undefined;
}

const inverseRoots: Rules = {
  // x / √v = x · rsqrt(v), x / y = x · (1/y)
  div: (op, draft) => {
    const [x, y] = op.operands as [ValueId, ValueId];
    const v = underRoot(draft, y);
    const inverse =
      v === undefined ? emit(draft, op, "inverse", "reciprocal", [y]) : emit(draft, op, "rsqrt", "rsqrt", [v]);
    return emit(draft, op, "quotient", "mul", [x, inverse]);
  },
  // 1 / √v = rsqrt(v)
  reciprocal: (op, draft) => {
    const v = underRoot(draft, op.operands[0]!);
    return v === undefined ? undefined : emit(draft, op, "rsqrt", "rsqrt", [v]);
  },
};

const roots: Rules = {
  // √v = v · rsqrt(v)
  sqrt: (op, draft) =>
    emit(draft, op, "root", "mul", [op.operands[0]!, emit(draft, op, "rsqrt", "rsqrt", op.operands)]),
};
