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
  /** Adds an op before the matched one, by default with its origin; returns the name of its result. */
  readonly emit: (name: string, operands: readonly ValueId[], attrs?: Attrs, options?: EmitOptions) => ValueId;
}
export interface EmitOptions {
  readonly type?: TensorType;
  readonly origin?: string;
}

export interface RewriteRule {
  readonly name: string;
  /** The equation that justifies the rewrite. */
  readonly law: string;
  /** The value that replaces the op's result, made by `emit` or already there; undefined: no match. */
  readonly match: (op: Op, context: RewriteContext) => ValueId | undefined;
}

export interface RewriteResult {
  readonly module: Module;
  /** How often each rewrite was applied. */
  readonly applied: ReadonlyMap<string, number>;
}

/** Mutable during one run. Ops never change; the maps do. */
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

/** Removes an op and the ops that it alone used: rules look at users, so dead ops must not count. */
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

/** What a rule sees at an op, and the ops that it emits there. */
function contextOf(state: RewriteState, op: Op): { readonly context: RewriteContext; readonly emitted: readonly Op[] } {
  const emitted: Op[] = [];
  const definer = (id: ValueId): Op | undefined => state.definers.get(id) ?? emitted.find((made) => made.result === id);
  const type = (id: ValueId): TensorType => {
    const value = state.values.get(id);
    if (!value) throw new Error(`rewrite at ${locationOf(op)}: there is no value %${id}`);
    return value.type;
  };
  const context: RewriteContext = {
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
  return { context, emitted };
}

/** Replaces an op's result by a value. Returns the emitted ops as entered; undefined if that would rename an output. */
function substitute(
  state: RewriteState,
  op: Op,
  replacement: ValueId,
  emitted: readonly Op[],
): readonly Op[] | undefined {
  const [was, becomes] = [state.values.get(op.result)!.type, state.values.get(replacement)!.type];
  if (!sameShape(was.shape, becomes.shape)) {
    throw new Error(`rewrite at ${locationOf(op)}: [${was.shape}] would become [${becomes.shape}]`);
  }
  if (emitted.some((made) => made.result === replacement)) {
    // The new op takes the old name: names stay those of the model. Other emitted ops read it under that name.
    const renamed = (id: ValueId): ValueId => (id === replacement ? op.result : id);
    const entered = emitted.map(
      (made): Op => ({ ...made, operands: made.operands.map(renamed), result: renamed(made.result) }),
    );
    const { range } = state.values.get(op.result)!;
    state.values.set(op.result, { type: becomes, ...(range && { range }) });
    state.values.delete(replacement);
    leave(state, op);
    for (const made of entered) enter(state, made);
    removeIfUnused(state, op);
    return entered;
  }
  // An output keeps its name, and an existing value has another.
  if (state.outputs.has(op.result)) return undefined;
  for (const made of emitted) enter(state, made);
  for (const user of state.users.get(op.result) ?? []) {
    const operands = user.operands.map((id) => (id === op.result ? replacement : id));
    const changed = { ...user, operands };
    leave(state, user);
    enter(state, changed);
  }
  removeOp(state, op);
  return emitted;
}

function removeIfUnused(state: RewriteState, op: Op): void {
  for (const id of op.operands) {
    const definer = state.definers.get(id);
    if (definer && !state.outputs.has(id) && (state.users.get(id)?.size ?? 0) === 0) removeOp(state, definer);
  }
}

/** Applies the first rewrite that matches an op, if any. */
function rewriteOp(
  state: RewriteState,
  op: Op,
  rewrites: readonly RewriteRule[],
): { readonly rewrite: string; readonly emitted: readonly Op[] } | undefined {
  for (const rewrite of rewrites) {
    const { context, emitted } = contextOf(state, op);
    const replacement = rewrite.match(op, context);
    if (replacement !== undefined && replacement !== op.result) {
      const entered = substitute(state, op, replacement, emitted);
      if (entered) return { rewrite: rewrite.name, emitted: entered };
    }
    for (const made of emitted) state.values.delete(made.result);
  }
  return undefined;
}

/** One walk over the ops. The next walk visits what a match emits. `applied`: the rewrites used, one name per use. */
function rewriteOnce(
  state: RewriteState,
  results: readonly ValueId[],
  rewrites: readonly RewriteRule[],
): { readonly results: readonly ValueId[]; readonly applied: readonly string[] } {
  const next: ValueId[] = [];
  const applied: string[] = [];
  for (const id of results) {
    const op = state.definers.get(id);
    if (!op) continue;
    const done = rewriteOp(state, op, rewrites);
    if (done) {
      applied.push(done.rewrite);
      next.push(...done.emitted.map((made) => made.result));
    }
    if (isLive(state, op)) next.push(id);
  }
  return { results: next.filter((id) => state.definers.has(id)), applied };
}

/** Maximum number of walks; rewrites that need more undo each other. */
const maxSweeps = 100;

/**
 * Applies the rewrites until none matches; the first that matches an op wins. Every op becomes a step of its own, so
 * rewrites run before 6-schedule. Ops that become dead are removed. Types of dependent values stay as they are, so a
 * rewrite must keep the type of its result (labels may move up; run `infer` after one that changes more). Throws when
 * `limit` walks are not enough.
 */
export function applyRewrites(module: Module, rewrites: readonly RewriteRule[], limit = maxSweeps): RewriteResult {
  const state = createState(module);
  const applied = new Map<string, number>();
  let results: readonly ValueId[] = opsOf(module).map((op) => op.result);
  for (let walk = 0, changed = true; changed; walk++) {
    if (walk === limit) throw new Error(`rewrites ${[...applied.keys()].join(", ")} did not end in ${limit} walks`);
    const done = rewriteOnce(state, results, rewrites);
    for (const name of done.applied) applied.set(name, (applied.get(name) ?? 0) + 1);
    results = done.results;
    changed = done.applied.length > 0;
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
