import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { producersOf, usersOf } from "../../ir/uses.ts";
import type { LoadedModel } from "../load/index.ts";

/** Operators that scale or shift each element. */
const scaling: ReadonlySet<string> = new Set(["add", "sub", "mul", "div"]);

/**
 * Private weights that scale or shift what the client computes alone, feature by feature, before anything else meets it:
 * means and deviations of a scaler, by their names in `--public`. What the client knows of them is the statistics of
 * data, and no trained number. What several operators read is scaled already: each of them may have a row of training
 * data, as distances to neighbours do.
 */
export function scalerWeights({ imported, ownership }: Pick<LoadedModel, "imported" | "ownership">): readonly string[] {
  const { module, storedWeights } = imported;
  const producers = producersOf(opsOf(module));
  const users = usersOf(opsOf(module));
  const plain = new Set(module.inputs.filter((id) => typeOf(module, id).label === "client"));
  const found = new Set<ValueId>();
  for (const op of opsOf(module)) {
    if (typeOf(module, op.result).label === "client") plain.add(op.result);
    const isAlone = op.operands.every((id) => !plain.has(id) || users.get(id)?.length === 1);
    const statistic = isAlone ? statisticOf(op, module, plain) : undefined;
    if (statistic === undefined) continue;
    const params = paramsBehind(statistic, module, producers);
    if (!params) continue;
    plain.add(op.result);
    for (const param of params) found.add(param);
  }
  const names = [...found].map((id) => storedWeights.get(module.params[id]!)?.weight ?? module.params[id]!);
  return [...new Set(names)].filter((name) => ownership.labels.get(name) === "server");
}

/** The operand that scales or shifts the client's features, one number for each or one for all. */
function statisticOf({ name, operands, result }: Op, module: Module, plain: ReadonlySet<ValueId>): ValueId | undefined {
  if (!scaling.has(name) || typeOf(module, result).label !== "shared") return undefined;
  const [own, others] = [operands.filter((id) => plain.has(id)), operands.filter((id) => !plain.has(id))];
  const [statistic] = others;
  if (own.length !== 1 || statistic === undefined) return undefined;
  const isRow = typeOf(module, statistic).shape.filter((size) => size > 1).length <= 1;
  return isRow ? statistic : undefined;
}

/** The params that a value is computed from, if it is from params alone. */
function paramsBehind(
  id: ValueId,
  module: Module,
  producers: ReadonlyMap<ValueId, Op>,
): readonly ValueId[] | undefined {
  if (Object.hasOwn(module.params, id)) return [id];
  const operands = producers.get(id)?.operands;
  if (!operands || operands.length === 0) return undefined;
  const behind = operands.map((operand) => paramsBehind(operand, module, producers));
  return behind.every((each) => each !== undefined) ? behind.flat() : undefined;
}
