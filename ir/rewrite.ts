import { locationOf, resultType } from "./infer.ts";
import { type Attrs, type Module, type Op, opsOf, type Value, type ValueId } from "./module.ts";
import { createNames } from "./names.ts";
import { opDef, withDefaults } from "./registry.ts";
import { sameShape, type TensorType } from "./type.ts";

export interface RewriteContext {
  /** The op that makes a value; undefined for inputs and parameters. */
  readonly definer: (id: ValueId) => Op | undefined;
  readonly users: (id: ValueId) => readonly Op[];
  readonly isOutput: (id: ValueId) => boolean;
  readonly type: (id: ValueId) => TensorType;
  /** Name in the weight store, if the value is a parameter. */
  readonly weight: (id: ValueId) => string | undefined;
  /** Adds an op in front of the matched one, with its origin unless told; gives the name of its result. */
  readonly emit: (name: string, operands: readonly ValueId[], attrs?: Attrs, options?: EmitOptions) => ValueId;
}
export interface EmitOptions {
  readonly type?: TensorType;
  readonly origin?: string;
}

export interface RewriteRule {
  readonly name: string;
  /** The equation that makes it right. */
  readonly law: string;
  /** The value that takes the place of the op's result, made by `emit` or there before; undefined: no match. */
  readonly match: (op: Op, context: RewriteContext) => ValueId | undefined;
}

export interface RewriteResult {
  readonly module: Module;
  /** How often each rewrite was used. */
  readonly applied: ReadonlyMap<string, number>;
}

/** Mutable during one run; the ops themselves never change, only which op a place holds. */
interface RewriteState {
  readonly module: Module;
  readonly values: Map<ValueId, Value>;
  readonly definers: Map<ValueId, Op>;
  readonly users: Map<ValueId, Set<Op>>;
  readonly outputs: ReadonlySet<ValueId>;
  readonly fresh: (base: string) => string;
}

function createState(module: Module): RewriteState {
  const state: RewriteState = {
    module,
    values: new Map(Object.entries(module.values)),
    definers: new Map(),
    users: new Map(),
    outputs: new Set(module.outputs),
    fresh: createNames(Object.keys(module.values)),
  };
  for (const op of opsOf(module)) enter(state, op);
  return state;
}

function enter(state: RewriteState, op: Op): void {
  state.definers.set(op.result, op);
  for (const id of op.operands) {
    const known = state.users.get(id);
    if (known) known.add(op);
    else state.users.set(id, new Set([op]));
  }
}

function leave(state: RewriteState, op: Op): void {
  if (state.definers.get(op.result) === op) state.definers.delete(op.result);
  for (const id of op.operands) state.users.get(id)?.delete(op);
}

/** Removes an op, and before it whatever served it alone: matches look at users, the dead must not count. */
function removeOp(state: RewriteState, dead: Op): void {
  const pending = [dead];
  for (let op = pending.pop(); op; op = pending.pop()) {
    leave(state, op);
    for (const id of op.operands) {
      const definer = state.definers.get(id);
      if (definer && !state.outputs.has(id) && (state.users.get(id)?.size ?? 0) === 0) pending.push(definer);
    }
  }
}

const isLive = (state: RewriteState, op: Op): boolean => state.definers.get(op.result) === op;

function contextOf(state: RewriteState, op: Op, emitted: Op[]): RewriteContext {
  const definer = (id: ValueId): Op | undefined => state.definers.get(id) ?? emitted.find((made) => made.result === id);
  const type = (id: ValueId): TensorType => {
    const value = state.values.get(id);
    if (!value) throw new Error(`rewrite at ${locationOf(op)}: there is no value %${id}`);
    return value.type;
  };
  return {
    definer,
    type,
    users: (id) => [...(state.users.get(id) ?? [])],
    isOutput: (id) => state.outputs.has(id),
    weight: (id) => (Object.hasOwn(state.module.params, id) ? state.module.params[id] : undefined),
    emit: (name, operands, given = {}, options = {}) => {
      const def = opDef(name);
      const attrs = withDefaults(def, given);
      const result = state.fresh(op.result);
      emitted.push({ name, operands: [...operands], result, attrs, origin: options.origin ?? op.origin });
      state.values.set(result, { type: options.type ?? resultType(def, operands.map(type), attrs) });
      return result;
    },
  };
}

/** Puts a value in the place of an op's result; false when the names of the outputs do not allow it. */
function substitute(state: RewriteState, op: Op, replacement: ValueId, emitted: Op[]): boolean {
  const [was, becomes] = [state.values.get(op.result)!.type, state.values.get(replacement)!.type];
  if (!sameShape(was.shape, becomes.shape)) {
    throw new Error(`rewrite at ${locationOf(op)}: [${was.shape}] would become [${becomes.shape}]`);
  }
  const last = emitted.find((made) => made.result === replacement);
  if (last) {
    // The new op takes over the old name: names stay those of the model.
    emitted[emitted.indexOf(last)] = { ...last, result: op.result };
    const { range } = state.values.get(op.result)!;
    state.values.set(op.result, { type: becomes, ...(range && { range }) });
    state.values.delete(replacement);
    leave(state, op);
    // Whatever else was emitted and reads the new op reads it under the old name.
    emitted.forEach((made, at) => {
      const operands = made.operands.map((id) => (id === replacement ? op.result : id));
      emitted[at] = { ...made, operands };
      enter(state, emitted[at]);
    });
    removeIfUnused(state, op);
    return true;
  }
  // An output keeps its name, which a value from elsewhere does not have.
  if (state.outputs.has(op.result)) return false;
  for (const made of emitted) enter(state, made);
  for (const user of state.users.get(op.result) ?? []) {
    const operands = user.operands.map((id) => (id === op.result ? replacement : id));
    const changed = { ...user, operands };
    leave(state, user);
    enter(state, changed);
  }
  removeOp(state, op);
  return true;
}

function removeIfUnused(state: RewriteState, op: Op): void {
  for (const id of op.operands) {
    const definer = state.definers.get(id);
    if (definer && !state.outputs.has(id) && (state.users.get(id)?.size ?? 0) === 0) removeOp(state, definer);
  }
}

/** One walk over the ops; what a match emits is met again in the next one. */
function rewriteOnce(
  state: RewriteState,
  results: readonly ValueId[],
  rewrites: readonly RewriteRule[],
  applied: Map<string, number>,
): ValueId[] {
  const next: ValueId[] = [];
  for (const id of results) {
    const op = state.definers.get(id);
    if (!op) continue;
    const emitted: Op[] = [];
    for (const rewrite of rewrites) {
      const replacement = rewrite.match(op, contextOf(state, op, emitted));
      if (replacement !== undefined && replacement !== op.result && substitute(state, op, replacement, emitted)) {
        applied.set(rewrite.name, (applied.get(rewrite.name) ?? 0) + 1);
        break;
      }
      for (const made of emitted.splice(0)) state.values.delete(made.result);
    }
    next.push(...emitted.map((made) => made.result));
    if (isLive(state, op)) next.push(id);
  }
  return next.filter((id) => state.definers.has(id));
}

/** Walks that a set of rewrites may take before it counts as running in circles. */
const maxSweeps = 100;

/**
 * Applies the rewrites, the first that matches first, until none matches. Steps become single ops: rewrites come
 * before 6-schedule. Dead ops on the way are removed; types of what depends on a replacement stay as they are, so a
 * rewrite keeps the type of its result (labels may move up; run `infer` after one that changes more).
 */
export function applyRewrites(module: Module, rewrites: readonly RewriteRule[], limit = maxSweeps): RewriteResult {
  const state = createState(module);
  const applied = new Map<string, number>();
  const total = (): number => [...applied.values()].reduce((sum, count) => sum + count, 0);
  let results: readonly ValueId[] = opsOf(module).map((op) => op.result);
  for (let walk = 0, before = -1; before !== total(); walk++) {
    if (walk === limit) throw new Error(`rewrites ${[...applied.keys()].join(", ")} found no end in ${limit} walks`);
    before = total();
    results = rewriteOnce(state, results, rewrites, applied);
  }
  if (applied.size === 0) return { module, applied };
  const kept = new Set([...module.inputs, ...Object.keys(module.params), ...results]);
  return {
    module: {
      ...module,
      steps: results.map((id) => ({ ops: [state.definers.get(id)!] })),
      values: Object.fromEntries([...state.values].filter(([id]) => kept.has(id))),
    },
    applied,
  };
}
