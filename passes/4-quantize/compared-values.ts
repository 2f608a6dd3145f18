import { type Module, type Op, opsOf, typeOf, type ValueId } from "../../ir/module.ts";
import { producersOf, usersOf } from "../../ir/uses.ts";

/** What only comparisons learn of, and the private numbers that it is compared with. */
export interface ComparedValues {
  /** Whether a value reaches nothing but comparisons, as the features of decision trees do. */
  readonly decides: (id: ValueId) => boolean;
  /** By param of a private threshold, or of a table of them: the values that it is compared with. */
  readonly thresholds: ReadonlyMap<ValueId, readonly ValueId[]>;
  /** The private param that a value is, or that it is a row of. */
  readonly thresholdOf: (id: ValueId) => ValueId | undefined;
  /** Inputs of the module that such a value is made of. */
  readonly inputsOf: (id: ValueId) => readonly ValueId[];
}

const moves: ReadonlySet<string> = new Set(["reshape", "transpose", "slice", "expand"]);
/** Operators whose result is as fine as what they read: sums, choices, moves. */
const carries: ReadonlySet<string> = new Set([...moves, "share", "add", "sub", "concat", "reduce-sum"]);
const products: ReadonlySet<string> = new Set(["matmul", "mul"]);

/** Which values these are follows from the module alone. */
export function comparedValues(module: Module): ComparedValues {
  const ops = opsOf(module);
  const [users, makers] = [usersOf(ops), producersOf(ops)];
  const isParam = (id: ValueId): boolean => Object.hasOwn(module.params, id);
  const passes = (id: ValueId, { name, operands }: Op): boolean => {
    if (name === "where") return operands[0] !== id;
    return carries.has(name) || (products.has(name) && operands.some((other) => other !== id && isParam(other)));
  };
  const known = new Map<ValueId, boolean>();
  const decides = (id: ValueId): boolean => {
    const found = known.get(id);
    if (found !== undefined) return found;
    const readers = users.get(id) ?? [];
    const only = readers.every((op) => op.name === "compare" || (passes(id, op) && decides(op.result)));
    const result = readers.length > 0 && only && !module.outputs.includes(id);
    known.set(id, result);
    return result;
  };
  const thresholdOf = (id: ValueId): ValueId | undefined => {
    if (isParam(id)) return typeOf(module, id).label === "server" ? id : undefined;
    const op = makers.get(id);
    const [first, second] = op?.operands ?? [];
    if (op === undefined || first === undefined) return undefined;
    if (moves.has(op.name)) return thresholdOf(first);
    const isLookup = op.name === "matmul" && makers.get(first)?.name === "cast";
    return isLookup && second !== undefined ? thresholdOf(second) : undefined;
  };
  const thresholds = new Map<ValueId, ValueId[]>();
  for (const { name, operands, result } of ops) {
    const isTest = name === "compare" || ((name === "sub" || name === "add") && decides(result));
    if (!isTest || operands.length !== 2) continue;
    for (const [at, id] of operands.entries()) {
      const param = thresholdOf(id);
      const other = operands[1 - at]!;
      if (param === undefined || isParam(other)) continue;
      thresholds.set(param, [...(thresholds.get(param) ?? []), other]);
    }
  }
  const inputsOf = (id: ValueId): readonly ValueId[] => {
    const op = makers.get(id);
    if (!op) return module.inputs.includes(id) ? [id] : [];
    return op.operands.filter((operand) => passes(operand, op)).flatMap(inputsOf);
  };
  return { decides, thresholds, thresholdOf, inputsOf };
}
