import type { Diagnostic } from "../diagnostic.ts";
import { locationOf } from "../infer.ts";
import { type Module, type Op, opsOf, type Stage, type Value, type ValueId } from "../module.ts";
import type { OpDef } from "../ops/define.ts";
import { registry, withDefaults } from "../registry.ts";
import type { TensorType } from "../type.ts";
import { producersOf, usersOf } from "../uses.ts";

/** Input of the rules. Rules after the structural ones may assume that every operand is defined. */
export interface VerifyContext {
  readonly module: Module;
  readonly ops: readonly Op[];
  readonly value: (id: ValueId) => Value | undefined;
  readonly definition: ReadonlyMap<ValueId, Op>;
  readonly users: ReadonlyMap<ValueId, readonly Op[]>;
}

/** An op with its table, attributes and types. */
export interface TypedOp {
  readonly op: Op;
  readonly def: OpDef;
  readonly attrs: Op["attrs"];
  readonly operands: readonly TensorType[];
  readonly result: TensorType;
  readonly at: string;
}

export interface VerifyRule {
  /** First stage whose modules must satisfy it. */
  readonly from: Stage;
  readonly check: (context: VerifyContext) => readonly Diagnostic[];
}

export function createContext(module: Module): VerifyContext {
  const ops = opsOf(module);
  return {
    module,
    ops,
    value: (id) => (Object.hasOwn(module.values, id) ? module.values[id] : undefined),
    definition: producersOf(ops),
    users: usersOf(ops),
  };
}

export function typedOps({ ops, value }: VerifyContext): readonly TypedOp[] {
  return ops.map((op) => {
    const def = registry.get(op.name)!;
    return {
      op,
      def,
      attrs: withDefaults(def, op.attrs),
      operands: op.operands.map((id) => value(id)!.type),
      result: value(op.result)!.type,
      at: locationOf(op),
    };
  });
}
