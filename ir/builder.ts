import { fail } from "./diagnostic.ts";
import { inferOp, locationOf } from "./infer.ts";
import type { Attrs, Module, Op, Stage, Step, Value, ValueId } from "./module.ts";
import { createNames } from "./names.ts";
import { opDef, withDefaults } from "./registry.ts";
import type { Interval, TensorType } from "./type.ts";

export interface OpOptions {
  /** Requested name; the builder makes it unique. Default: the operator's name. */
  readonly result?: string;
  readonly origin?: string;
  readonly protocol?: string;
  /** Replaces the inferred type. */
  readonly type?: TensorType;
  readonly range?: Interval;
}

export interface Builder {
  /** Makes the name safe and unique, and returns the name used. */
  readonly input: (id: string, type: TensorType, range?: Interval) => ValueId;
  readonly param: (id: string, type: TensorType, weight: string, range?: Interval) => ValueId;
  readonly op: (name: string, operands: readonly ValueId[], attrs?: Attrs, options?: OpOptions) => ValueId;
  /** Groups the ops that the function adds into one step. */
  readonly step: (build: () => void) => void;
  readonly output: (id: ValueId) => void;
  readonly type: (id: ValueId) => TensorType;
  readonly finish: () => Module;
}

/**
 * Builds a module op by op. Each op is a step of its own unless `step` groups them. Throws MRL0311 for an undefined
 * value.
 */
export function createBuilder(name: string, stage: Stage): Builder {
  const values: Record<ValueId, Value> = {};
  const params: Record<ValueId, string> = {};
  const [inputs, outputs]: [ValueId[], ValueId[]] = [[], []];
  const steps: Step[] = [];
  const fresh = createNames();
  let group: Op[] | undefined;

  const lookUp = (id: ValueId, user: string): Value => {
    const value = values[id];
    if (value) return value;
    return fail({ code: "MRL0311", message: `expected a value that is defined before, found %${id}`, at: user });
  };
  const define = (base: string, type: TensorType, range?: Interval): ValueId => {
    const id = fresh(base);
    values[id] = { type, ...(range && { range }) };
    return id;
  };

  return {
    input: (id, type, range) => {
      const taken = define(id, type, range);
      inputs.push(taken);
      return taken;
    },
    param: (id, type, weight, range) => {
      const taken = define(id, type, range);
      params[taken] = weight;
      return taken;
    },
    op: (opName, operands, attrs = {}, { result, origin = "", protocol, type, range } = {}) => {
      const id = fresh(result ?? opName);
      const op: Op = {
        name: opName,
        operands: [...operands],
        result: id,
        attrs: withDefaults(opDef(opName), attrs),
        origin,
        ...(protocol !== undefined && { protocol }),
      };
      const types = operands.map((operand) => lookUp(operand, locationOf(op)).type);
      const inferred = type ?? inferOp(op, types);
      values[id] = { type: inferred, ...(range && { range }) };
      if (group) group.push(op);
      else steps.push({ ops: [op] });
      return id;
    },
    step: (build) => {
      const ops: Op[] = [];
      group = ops;
      build();
      group = undefined;
      if (ops.length > 0) steps.push({ ops });
    },
    output: (id) => {
      lookUp(id, `output %${id}`);
      outputs.push(id);
    },
    type: (id) => lookUp(id, `%${id}`).type,
    finish: () => ({
      name,
      stage,
      inputs: [...inputs],
      params: { ...params },
      steps: [...steps],
      outputs: [...outputs],
      values: { ...values },
    }),
  };
}
