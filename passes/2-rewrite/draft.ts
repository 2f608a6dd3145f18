import { inferOp } from "../../ir/infer.ts";
import { evaluateOp } from "../../ir/interpret.ts";
import { join, type Label } from "../../ir/label.ts";
import { type Attrs, type Module, type Op, opsOf, type Value, type ValueId } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import { opDef, withDefaults } from "../../ir/registry.ts";
import { scalar, type Tensor, type WeightStore } from "../../ir/tensor.ts";
import { type Element, f32, sameShape, type TensorType } from "../../ir/type.ts";
import { producersOf, usersOf } from "../../ir/uses.ts";
import { withOps } from "../graph.ts";
import type { PassState } from "../pass.ts";

/** The module as a rule sees it, and what a rule may add to it. */
export interface Draft {
  readonly type: (id: ValueId) => TensorType;
  /** The op that makes a value, as rewritten so far; undefined for inputs and params. */
  readonly producer: (id: ValueId) => Op | undefined;
  /** Ops that read a value before this rewrite. */
  readonly users: (id: ValueId) => readonly Op[];
  readonly isOutput: (id: ValueId) => boolean;
  readonly isParam: (id: ValueId) => boolean;
  /** Value of a param. */
  readonly weight: (id: ValueId) => Tensor;
  /** Name of a param in the store. */
  readonly weightName: (id: ValueId) => string;
  /** Adds an op; its value is named `result` (made unique), its origin is that of the op being rewritten. */
  readonly emit: (name: string, operands: readonly ValueId[], attrs: Attrs, result: ValueId) => ValueId;
  /** Adds a param under this name in the store, made unique; the same name again is the same param. */
  readonly param: (weight: string, value: Tensor, label: Label, element?: Element) => ValueId;
}

/**
 * A rule looks at one op, with operands as rewritten so far, and returns the value that replaces its result, or
 * undefined to keep the op.
 */
export type OpRule = (op: Op, draft: Draft) => ValueId | undefined;

/** A draft while `rewriteOps` walks over the module. */
interface OpenDraft {
  readonly draft: Draft;
  /** Starts with an op: its operands as rewritten so far. */
  readonly begin: (op: Op) => Op;
  /** Keeps the op that was begun, or replaces its result by the value. */
  readonly end: (op: Op, replacement: ValueId | undefined) => void;
  readonly finish: () => PassState;
}

function createDraft(state: PassState): OpenDraft {
  const { module } = state;
  const users = usersOf(opsOf(module));
  const producers = new Map(producersOf(opsOf(module)));
  const values: Record<ValueId, Value> = { ...module.values };
  const params: Record<ValueId, string> = { ...module.params };
  const weights = new Map(state.weights);
  const paramOf = new Map<string, ValueId>();
  const fresh = createNames(Object.keys(values));
  const aliases = new Map<ValueId, ValueId>();
  const ops: Op[] = [];
  const emitted = new Set<ValueId>();
  let origin = "";

  const add = (op: Op): void => {
    const operands = op.operands.map((id) => values[id]!.type);
    values[op.result] = { type: inferOp(op, operands) };
    producers.set(op.result, op);
    ops.push(op);
  };
  const draft: Draft = {
    type: (id) => values[id]!.type,
    producer: (id) => producers.get(id),
    users: (id) => users.get(id) ?? [],
    isOutput: (id) => module.outputs.includes(id),
    isParam: (id) => Object.hasOwn(params, id),
    weight: (id) => weights.get(params[id]!)!,
    weightName: (id) => params[id]!,
    emit: (name, operands, attrs, result) => {
      const op = { name, operands, result: fresh(result), attrs: withDefaults(opDef(name), attrs), origin };
      add(op);
      emitted.add(op.result);
      return op.result;
    },
    param: (weight, value, label, element = f32) => {
      const known = paramOf.get(weight);
      if (known !== undefined) return known;
      const id = fresh(weight);
      const stored = unused(weights, weight);
      params[id] = stored;
      values[id] = { type: { label, element, shape: value.shape } };
      weights.set(stored, value);
      paramOf.set(weight, id);
      return id;
    },
  };
  return {
    draft,
    begin: (op) => {
      origin = op.origin;
      return { ...op, operands: op.operands.map((id) => aliases.get(id) ?? id) };
    },
    end: (op, replacement) => {
      const shape = values[op.result]!.type.shape;
      // Laws hold elementwise: where broadcasting of an operand made the shape, they do not apply.
      if (replacement === undefined || !sameShape(values[replacement]!.type.shape, shape)) add(op);
      else aliases.set(op.result, replacement);
    },
    finish: () => {
      const outputs = module.outputs.map((id) => aliases.get(id) ?? id);
      return { module: inheritNames(withOps(module, ops, { values, params, outputs }), aliases, emitted), weights };
    },
  };
}

/** Applies the rule to every op in program order, and drops ops, params and weights that are unused afterwards. */
export function rewriteOps<S extends PassState>(state: S, rule: OpRule): S {
  const { draft, begin, end, finish } = createDraft(state);
  for (const old of opsOf(state.module)) {
    const op = begin(old);
    end(op, rule(op, draft));
  }
  return dropUnusedWeights({ ...state, ...finish() });
}

/** A new value that replaces an old one takes its name: programs keep the names of the model. */
function inheritNames(module: Module, aliases: ReadonlyMap<ValueId, ValueId>, emitted: ReadonlySet<ValueId>): Module {
  const names = new Map<ValueId, ValueId>();
  for (const [old, id] of aliases) if (emitted.has(id) && !names.has(id)) names.set(id, old);
  const name = (id: ValueId): ValueId => names.get(id) ?? id;
  return {
    ...module,
    outputs: module.outputs.map(name),
    steps: module.steps.map(({ ops }) => ({
      ops: ops.map((op) => ({ ...op, operands: op.operands.map(name), result: name(op.result) })),
    })),
    values: Object.fromEntries(Object.entries(module.values).map(([id, value]) => [name(id), value])),
  };
}

function unused(weights: WeightStore, base: string): string {
  let name = base;
  for (let n = 1; weights.has(name); n++) name = `${base}_${n}`;
  return name;
}

/** Drops the weights that no param names any more. */
function dropUnusedWeights<S extends PassState>(state: S): S {
  const used = new Set(Object.values(state.module.params));
  const weights: WeightStore = new Map([...state.weights].filter(([name]) => used.has(name)));
  return { ...state, weights };
}

/** A public scalar. */
export function publicScalar(draft: Draft, value: number): ValueId {
  return draft.param(`constant ${value}`, scalar(value), "public");
}

/** A param that an operator computes from others; known to those who know all of them. */
export function derivedParam(
  draft: Draft,
  weight: string,
  name: string,
  operands: readonly { readonly value: Tensor; readonly label: Label }[],
  attrs: Attrs = {},
): ValueId {
  const value = evaluateOp(
    name,
    operands.map((operand) => operand.value),
    attrs,
  );
  return draft.param(weight, value, join(...operands.map((operand) => operand.label)));
}
