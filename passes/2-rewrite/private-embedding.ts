import { type Op, opsOf, type Value, type ValueId } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import { axisOf } from "../../ir/ops/helpers/shapes.ts";
import { f32, sizeOf } from "../../ir/type.ts";
import { type ClientCut, cutsOf, type SplitState, withCuts } from "../pass.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/**
 * gather(table, ids) = one-hot(ids)·table. The party that knows ids makes the one-hot rows in the clear. With a private
 * table, the product is an ordinary layer with a known weight. With a shared value, of which a classifier reads the row
 * of the last token, it is a product of two secrets, and only that party knows the index.
 */
export const privateEmbedding = (state: SplitState): SplitState =>
  replaceByOneHot(state, (op) => isTableLookup(op, state) || isGatherAtOwn(op, state));

type OpTest = (op: Op) => boolean;

function replaceByOneHot(state: SplitState, isMeant: OpTest): SplitState {
  const { module } = state;
  const lookups = opsOf(module).filter(isMeant);
  if (lookups.length === 0) return state;
  const fresh = createNames(Object.keys(module.values));
  /** One-hot rows by lookup, with the cut of their indices. */
  const rows = new Map<string, ClientCut & { readonly of: ValueId }>();
  const values: Record<ValueId, Value> = { ...module.values };
  for (const op of lookups) {
    const key = lookupKey(op, (id) => module.values[id]!.type.shape);
    if (rows.has(key)) continue;
    const [table, ids] = op.operands as [ValueId, ValueId];
    const depth = axisSize(op, module.values[table]!.type.shape);
    const value = fresh(`${ids}.one_hot`);
    const { source } = cutsOf(state).find((cut) => cut.value === ids)!;
    const { label, shape } = module.values[ids]!.type;
    values[value] = { type: { label, element: f32, shape: [...shape, depth] }, range: { lo: 0, hi: 1 } };
    rows.set(key, { value, source, oneHot: depth, of: ids });
  }
  const inputs = [...module.inputs, ...[...rows.values()].map((cut) => cut.value)];
  // Whoever has the indices shares their rows.
  const supplied = withCuts(state, (cuts) => [
    ...cuts,
    ...[...rows.values()].filter(({ of }) => cuts.some((cut) => cut.value === of)).map(({ of: _, ...cut }) => cut),
  ]);
  const shared = new Map<string, ValueId>();
  return rewriteOps({ ...supplied, module: { ...module, inputs, values } }, (op, draft) => {
    if (!isMeant(op)) return undefined;
    const key = lookupKey(op, (id) => draft.type(id).shape);
    const row = rows.get(key)!.value;
    if (!shared.has(key)) shared.set(key, draft.emit("share", [row], {}, `${row}.share`));
    return gatherByOneHot(op, shared.get(key)!, draft);
  });
}

/**
 * Keeps lookups in private tables, for a protocol that hides the indices. The client supplies indices into the rows of
 * a table.
 */
export function keepPrivateLookups(given: SplitState): SplitState {
  const state = replaceByOneHot(given, (op) => isGatherAtOwn(op, given));
  const { module, client } = state;
  const depths = new Map(
    opsOf(module)
      .filter((op) => isTableLookup(op, state))
      .map(({ operands: [table, ids] }) => [ids, module.values[table!]!.type.shape[0]!]),
  );
  const cuts = client.cuts.map((cut) => {
    const rows = depths.get(cut.value);
    return rows === undefined ? cut : { ...cut, rows };
  });
  return { ...state, client: { ...client, cuts } };
}

function gatherByOneHot(op: Op, row: ValueId, draft: Draft): ValueId {
  const [table, ids] = op.operands as [ValueId, ValueId];
  const emit = (name: string, operand: ValueId, attrs: Op["attrs"]): ValueId =>
    draft.emit(name, [operand], attrs, `${op.result}.${name}`);
  if (draft.isParam(table)) return draft.emit("matmul", [row, table], {}, `${op.result}.row`);
  const [shape, rows] = [table, ids].map((id) => draft.type(id).shape) as [readonly number[], readonly number[]];
  const at = axisOf(Number(op.attrs.axis ?? 0), shape.length);
  const others = shape.filter((_, axis) => axis !== at);
  const depth = shape[at]!;
  // Moves the axis to the front, and back afterwards.
  const first = emit("transpose", table, { perm: [at, ...shape.keys()].filter((axis, k) => k === 0 || axis !== at) });
  const matrix = emit("reshape", first, { shape: [depth, sizeOf(others)] });
  const product = draft.emit(
    "matmul",
    [emit("reshape", row, { shape: [sizeOf(rows), depth] }), matrix],
    {},
    `${op.result}.row`,
  );
  const found = emit("reshape", product, { shape: [...rows, ...others] });
  const behind = others.map((_, axis) => rows.length + axis);
  return emit("transpose", found, { perm: [...behind.slice(0, at), ...rows.keys(), ...behind.slice(at)] });
}

/** Lookups of the same indices in tables of the same depth share their one-hot rows. */
const lookupKey = (op: Op, shape: (id: ValueId) => readonly number[]): string =>
  `${op.operands[1]} ${axisSize(op, shape(op.operands[0]!))}`;

const axisSize = ({ attrs }: Op, shape: readonly number[]): number =>
  shape[axisOf(Number(attrs.axis ?? 0), shape.length)]!;

/** Rows of a shared value at indices that the client or the server knows. */
function isGatherAtOwn(op: Op, state: SplitState): boolean {
  const { module } = state;
  const [values, indices] = op.operands;
  if (op.name !== "gather" || values === undefined || indices === undefined) return false;
  const isOwn = module.inputs.includes(indices) && cutsOf(state).some((cut) => cut.value === indices);
  const labels = [values, indices].map((id) => module.values[id]!.type.label);
  return isOwn && labels[0] === "shared" && (labels[1] === "client" || labels[1] === "server");
}

function isTableLookup(op: Op, { module }: SplitState): boolean {
  const [table, ids] = op.operands;
  if (op.name !== "gather" || table === undefined || ids === undefined) return false;
  const values = [table, ids].map((id) => module.values[id]?.type);
  return (
    Object.hasOwn(module.params, table) &&
    values[0]!.label === "server" &&
    values[0]!.shape.length === 2 &&
    (op.attrs.axis === 0 || op.attrs.axis === -2 || op.attrs.axis === undefined) &&
    module.inputs.includes(ids) &&
    values[1]!.label === "client" &&
    values[1]!.shape.length > 0
  );
}
