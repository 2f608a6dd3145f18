import { elementwiseFunctions } from "../../ir/elementwise-functions.ts";
import { type Module, type Op, opsOf, type Value, type ValueId } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import { producersOf } from "../../ir/uses.ts";
import { type ClientCut, cutsOf, type SplitState, withCuts } from "../pass.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/**
 * f(share(v)) = share(f(v)) for a function f of each element: whoever knows v computes f(v) in the clear, which costs
 * nothing and has the precision of floats. So the mean of h under the client's mask m, Σ h·m / Σ m, is a product with
 * the number 1 / Σ m, which the client shares. Operators that only move elements may stand between.
 */
export function ownFunctions(state: SplitState): SplitState {
  const found = applications(state);
  if (found.length === 0) return state;
  // Functions of functions show in the next round.
  return ownFunctions(withoutApplications(state, found));
}

interface Application {
  readonly op: Op;
  readonly cut: ClientCut;
}

/** Functions of values that one party knows. */
function applications(state: SplitState): readonly Application[] {
  const { module } = state;
  const producers = producersOf(opsOf(module));
  const cuts = new Map(cutsOf(state).map((cut) => [cut.value, cut]));
  return opsOf(module).flatMap((op) => {
    const input = elementwiseFunctions.has(op.name) ? sharedInput(op.operands[0]!, producers, module) : undefined;
    const cut = input === undefined ? undefined : cuts.get(input);
    // The functions apply to the tensor itself.
    const isPlain = cut && cut.oneHot === undefined && cut.rows === undefined && cut.least === undefined;
    return isPlain && module.values[cut.value]!.type.element.kind === "f32" ? [{ op, cut }] : [];
  });
}

const moves: ReadonlySet<string> = new Set(["reshape", "transpose", "expand", "slice"]);

/** The input of which a value is the shares, moved or not. */
function sharedInput(id: ValueId, producers: ReadonlyMap<ValueId, Op>, module: Module): ValueId | undefined {
  const op = producers.get(id);
  if (!op) return undefined;
  const [x] = op.operands as [ValueId];
  if (moves.has(op.name)) return sharedInput(x, producers, module);
  return op.name === "share" && module.inputs.includes(x) ? x : undefined;
}

function withoutApplications(state: SplitState, found: readonly Application[]): SplitState {
  const { module } = state;
  const fresh = createNames(Object.keys(module.values));
  const values: Record<ValueId, Value> = { ...module.values };
  const made = new Map<string, ClientCut & { readonly of: ValueId }>();
  const keyOf = ({ op, cut }: Application): string => `${op.name} ${cut.value}`;
  for (const each of found) {
    const { op, cut } = each;
    if (made.has(keyOf(each))) continue;
    const value = fresh(`${cut.value}.${op.name}`);
    values[value] = { type: module.values[cut.value]!.type };
    const functions = [...(cut.functions ?? []), op.name];
    made.set(keyOf(each), { value, source: cut.source, functions, of: cut.value });
  }
  const inputs = [...module.inputs, ...[...made.values()].map(({ value }) => value)];
  const supplied = withCuts(state, (cuts) => [
    ...cuts,
    ...[...made.values()].filter(({ of }) => cuts.some((cut) => cut.value === of)).map(({ of: _, ...cut }) => cut),
  ]);
  const byResult = new Map(found.map((each) => [each.op.result, made.get(keyOf(each))!.value]));
  const shares = new Map<ValueId, ValueId>();
  return rewriteOps({ ...supplied, module: { ...module, inputs, values } }, (op, draft) => {
    const value = byResult.get(op.result);
    if (value === undefined) return undefined;
    if (!shares.has(value)) shares.set(value, draft.emit("share", [value], {}, `${value}.share`));
    return movedAlike(op.operands[0]!, shares.get(value)!, draft);
  });
}

/** The shares, moved as the value was on its way. */
function movedAlike(id: ValueId, share: ValueId, draft: Draft): ValueId {
  const op = draft.producer(id)!;
  if (op.name === "share") return share;
  return draft.emit(op.name, [movedAlike(op.operands[0]!, share, draft)], op.attrs, `${op.result}.own`);
}
