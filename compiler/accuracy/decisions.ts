import { evaluateOp, toReal } from "../../ir/interpret.ts";
import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { isFixed } from "../../ir/type.ts";

/** How far an operator is moved towards another decision, by its operands with errors and without. */
type Distance = (op: Op, exact: readonly Tensor[], moved: readonly Tensor[]) => number;

const largest = (values: Float64Array): number => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
const change = (exact: Tensor, moved: Tensor): Float64Array => moved.data.map((x, k) => x - exact.data[k]!);

/** One operand decides alone: by its sign, or between which integers it is. */
const alone: Distance = (_, [x], [moved]) => largest(change(x!, moved!));

/** Elements of one operand are compared with each other. */
const amongElements: Distance = (_, [x], [moved]) => {
  const moves = change(x!, moved!);
  return (
    moves.reduce((most, d) => Math.max(most, d), -Infinity) - moves.reduce((least, d) => Math.min(least, d), Infinity)
  );
};

/** Two operands are compared with each other. */
const between: Distance = (_, exact, moved) => largest(change(evaluateOp("sub", exact), evaluateOp("sub", moved)));

/**
 * Operators whose result jumps: where two numbers are as near to each other as their errors, or one as near to an
 * integer, the secure result and the real one may stand on different sides. Maxima, clips and their like are continuous.
 */
const distances: Readonly<Record<string, Distance>> = {
  compare: between,
  argmax: amongElements,
  rank: amongElements,
  sign: alone,
  floor: alone,
  ceil: alone,
  lookup: alone,
  cast: alone,
};

export const isDecision = ({ name, attrs }: Op): boolean =>
  Object.hasOwn(distances, name) && !(name === "cast" && attrs.to === "f32");

/**
 * Holds the decisions of a run while its values are moved: what is moved then follows from values alone, and the
 * distances tell how near to another decision that leads.
 */
export interface Decisions {
  /** Keeps a value of the run without errors. */
  readonly keep: (id: ValueId, raw: Tensor) => void;
  /** Begins a run with errors. `factor`: on the change that it makes. Its function holds a value: a decision is the kept one. */
  readonly run: (factor: number) => (id: ValueId, raw: Tensor, op: Op | undefined) => Tensor;
  /** By the result of each decision, in real numbers: 0 where no error reaches its operands. */
  readonly distances: ReadonlyMap<ValueId, number>;
}

export function holdDecisions(module: Module): Decisions {
  const decisions = new Map(opsOf(module).flatMap((op) => (isDecision(op) ? [[op.result, op] as const] : [])));
  const watched = new Set([...decisions.values()].flatMap(({ operands, result }) => [...operands, result]));
  const exact = new Map<ValueId, Tensor>();
  const found = new Map<ValueId, number>();
  return {
    keep: (id, raw) => {
      if (watched.has(id)) exact.set(id, raw);
    },
    run: (factor) => {
      const moved = new Map(exact);
      return (id, raw, op) => {
        const decision = op && decisions.get(id);
        const result = decision ? exact.get(id)! : raw;
        if (watched.has(id)) moved.set(id, result);
        if (!decision) return result;
        const real = (of: ReadonlyMap<ValueId, Tensor>): readonly Tensor[] =>
          decision.operands.map((operand) => toReal(of.get(operand)!, typeOf(module, operand).element));
        const distance = factor * distances[decision.name]!(decision, real(exact), real(moved));
        found.set(id, Math.max(found.get(id) ?? 0, distance));
        return result;
      };
    },
    distances: found,
  };
}

/** Ways to move all operands of decisions, by the part of the distance: up, down, and each element either way. */
const moves: readonly ((noise: number) => number)[] = [
  () => 1,
  () => -1,
  ...Array.from({ length: 6 }, () => (noise: number) => Math.sign(noise)),
];

/**
 * Adjusts the interpreter so that decisions fall as they may within their distances. Nothing else moves: an output
 * changes where a decision does.
 */
export function fallOtherwise(
  module: Module,
  near: ReadonlyMap<ValueId, number>,
  noise: () => number,
): readonly ((id: ValueId, raw: Tensor, op: Op | undefined) => Tensor)[] {
  const decisions = opsOf(module).filter((op) => isDecision(op) && (near.get(op.result) ?? 0) > 0);
  const watched = new Set(decisions.map(({ operands }) => operands[0]!));
  const others = new Set(decisions.flatMap(({ operands }) => operands.slice(1)));
  return moves.map((move) => {
    const kept = new Map<ValueId, Tensor>();
    return (id, raw, op) => {
      if (watched.has(id) || others.has(id)) kept.set(id, toReal(raw, typeOf(module, id).element));
      const distance = near.get(id) ?? 0;
      if (!op || !isDecision(op) || distance === 0) return raw;
      const [first, ...rest] = op.operands.map((operand) => kept.get(operand)!) as [Tensor, ...Tensor[]];
      // A little farther than the distance, so that what lies at its end counts as within.
      const nudged = { ...first, data: first.data.map((x) => x + (1 + 2 ** -10) * distance * move(noise())) };
      const { data, shape } = evaluateOp(op.name, [nudged, ...rest], op.attrs);
      const { element } = typeOf(module, id);
      const result = isFixed(element)
        ? { shape, data: data.map((x) => Math.round(x * 2 ** element.scale)) }
        : { shape, data };
      if (watched.has(id) || others.has(id)) kept.set(id, toReal(result, element));
      return result;
    };
  });
}
