import { evaluateOp } from "../../ir/interpret.ts";
import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { hasData, type Tensor, type WeightStore } from "../../ir/tensor.ts";
import { sameShape, sizeOf } from "../../ir/type.ts";
import { producersOf, usersOf } from "../../ir/uses.ts";

/** Operators that pass a number on as it is, at another scale or in another ring. */
const passing: ReadonlySet<string> = new Set([
  ...["share", "take-over", "truncate", "narrow", "extend", "open", "reveal", "hand-over"],
]);

/** Numbers at which both sides of a seam are compared, and how far apart they may be beside 1. */
const trials = [-3.7, -1, -0.26, 0, 0.61, 1, 2.9];
const tolerance = 2 ** -20;

/** Values at the place where a decision goes either way; undefined: not known there. */
type Place = Map<ValueId, Tensor | undefined>;

const zero: Tensor = { shape: [], data: new Float64Array(1) };

/**
 * Values that jump with a decision; none where what depends on it is continuous, as where(x > 0, x, a·x) is. This is tried where both sides are equal, with what is public alone, so it holds whatever the
 * private weights are. Ranks that select the entries that they rank are of this kind too.
 */
export function createSeams(module: Module, weights: WeightStore): (decision: Op) => readonly ValueId[] {
  const producers = producersOf(opsOf(module));
  const users = usersOf(opsOf(module));
  const constant = (id: ValueId): Tensor | undefined => {
    const name = module.params[id];
    const found = name === undefined || typeOf(module, id).label !== "public" ? undefined : weights.get(name);
    return found && hasData(found) ? found : undefined;
  };
  const evaluate = (id: ValueId, place: Place): Tensor | undefined => {
    if (place.has(id)) return place.get(id);
    const op = producers.get(id);
    const operands = op?.operands.map((operand) => evaluate(operand, place)) ?? [undefined];
    const known = operands.every((each) => each !== undefined);
    const found =
      known && op ? (passing.has(op.name) ? operands[0] : evaluateOp(op.name, operands, op.attrs)) : constant(id);
    place.set(id, found);
    return found;
  };
  const behind = (id: ValueId): ValueId => {
    const op = producers.get(id);
    return op && passing.has(op.name) ? behind(op.operands[0]!) : id;
  };
  /** Where the sides of a decision are equal, for each trial; x − y compared with 0 has the sides x and y. */
  const placesOf = ({ operands }: Op): readonly Place[] => {
    const sides = operands.map(behind);
    const [x, y] = sides as [ValueId, ValueId | undefined];
    const difference = producers.get(x);
    const isZero = y === undefined || constant(y)?.data.every((value) => value === 0) === true;
    const within = isZero && difference?.name === "sub" ? difference.operands.map(behind) : [];
    const fill = (ids: readonly ValueId[], number: number): Place => {
      const known = ids.flatMap((id) => constant(id)?.data ?? []).flatMap((data) => [...data]);
      const at = known[0] ?? number;
      if (known.some((value) => value !== at)) return new Map();
      return new Map(
        ids.map((id) => {
          const { shape } = typeOf(module, id);
          return [id, { shape, data: new Float64Array(sizeOf(shape)).fill(at) }];
        }),
      );
    };
    return trials.map((number) => new Map([...fill(within, number), ...fill(sides, y === undefined ? 0 : number)]));
  };
  const meet = (decision: Op, one: ValueId, other: ValueId | undefined): boolean =>
    placesOf(decision).every((place) =>
      near(evaluate(one, place), other === undefined ? zero : evaluate(other, place)),
    );
  /** Values behind `id` that tell one side from the other: itself if it is an output, and results of such readers. */
  const tracesOf = (id: ValueId, continues: (user: Op) => boolean): readonly ValueId[] => [
    ...(module.outputs.includes(id) ? [id] : []),
    ...(users.get(id) ?? []).flatMap((user) => {
      if (passing.has(user.name)) return tracesOf(user.result, continues);
      return continues(user) ? [] : [user.result];
    }),
  ];
  /** Of a condition, or a sign. */
  const choices = (id: ValueId, decision: Op): readonly ValueId[] =>
    tracesOf(id, ({ name, operands, result }) => {
      if (name === "not" || name === "cast") return choices(result, decision).length === 0;
      if (!sameShape(typeOf(module, decision.result).shape, typeOf(module, result).shape)) return false;
      const others = operands.filter((operand) => behind(operand) !== behind(id));
      if (name === "where") return others.length === 2 && meet(decision, others[0]!, others[1]!);
      return name === "mul" && others.length === 1 && meet(decision, others[0]!, undefined);
    });
  const selections = ({ operands: [x], result }: Op): readonly ValueId[] =>
    tracesOf(result, ({ name, operands: [, selected] }) => {
      return name === "select-by-rank" && selected !== undefined && behind(selected) === behind(x!);
    });
  const rules: Readonly<Record<string, (decision: Op) => readonly ValueId[]>> = {
    rank: selections,
    compare: (decision) => choices(decision.result, decision),
    sign: (decision) => choices(decision.result, decision),
  };
  return (decision) => (Object.hasOwn(rules, decision.name) ? rules[decision.name]!(decision) : [decision.result]);
}

function near(a: Tensor | undefined, b: Tensor | undefined): boolean {
  if (!a || !b) return false;
  const at = ({ data }: Tensor, k: number): number => data[data.length === 1 ? 0 : k]!;
  const most = Math.max(a.data.length, b.data.length);
  return Array.from({ length: most }, (_, k) => [at(a, k), at(b, k)] as const).every(
    ([p, q]) => Math.abs(p - q) <= tolerance * Math.max(1, Math.abs(p)),
  );
}
