import type { Op, Value, ValueId } from "../../ir/module.ts";
import { opsOf } from "../../ir/module.ts";
import { createNames } from "../../ir/names.ts";
import { f32 } from "../../ir/type.ts";
import type { Cut, SplitState } from "../pass.ts";
import { type Draft, rewriteOps } from "./draft.ts";

/**
 * gather(table, ids) = one-hot(ids)·table. The client knows ids and makes the one-hot rows itself, in the clear;
 * the table is the server's, and the product is an ordinary layer with a known weight.
 */
export function privateEmbedding(state: SplitState): SplitState {
  const { module, client } = state;
  const lookUps = opsOf(module).filter((op) => isLookUp(op, state));
  if (lookUps.length === 0) return state;
  const fresh = createNames(Object.keys(module.values));
  const rows = new Map<string, Cut>();
  const values: Record<ValueId, Value> = { ...module.values };
  for (const op of lookUps) {
    const key = keyOf(op, (id) => module.values[id]!.type.shape);
    if (rows.has(key)) continue;
    const [table, ids] = op.operands as [ValueId, ValueId];
    const depth = module.values[table]!.type.shape[0]!;
    const value = fresh(`${ids}.one_hot`);
    const source = client.cuts.find((cut) => cut.value === ids)!.source;
    const shape = [...module.values[ids]!.type.shape, depth];
    values[value] = { type: { label: "client", element: f32, shape }, range: { lo: 0, hi: 1 } };
    rows.set(key, { value, source, oneHot: depth });
  }
  const cuts = [...rows.values()];
  const inputs = [...module.inputs, ...cuts.map((cut) => cut.value)];
  const shared = new Map<string, ValueId>();
  return rewriteOps(
    { ...state, module: { ...module, inputs, values }, client: { ...client, cuts: [...client.cuts, ...cuts] } },
    (op, draft) => {
      if (!isLookUp(op, state)) return undefined;
      const key = keyOf(op, (id) => draft.type(id).shape);
      const row = rows.get(key)!.value;
      if (!shared.has(key)) shared.set(key, draft.emit("share", [row], {}, `${row}.share`));
      return look(op, shared.get(key)!, draft);
    },
  );
}

/** The look-ups stay, for a protocol that hides the indices: what the client gives are indices into so many rows. */
export function privateLookup(state: SplitState): SplitState {
  const { module, client } = state;
  const depths = new Map(
    opsOf(module)
      .filter((op) => isLookUp(op, state))
      .map(({ operands: [table, ids] }) => [ids, module.values[table!]!.type.shape[0]!]),
  );
  const cuts = client.cuts.map((cut) => {
    const rows = depths.get(cut.value);
    return rows === undefined ? cut : { ...cut, rows };
  });
  return { ...state, client: { ...client, cuts } };
}

const look = (op: Op, row: ValueId, draft: Draft): ValueId =>
  draft.emit("matmul", [row, op.operands[0]!], {}, `${op.result}.row`);

/** Look-ups of the same indices in tables of the same depth share their rows. */
const keyOf = (op: Op, shape: (id: ValueId) => readonly number[]): string =>
  `${op.operands[1]} ${shape(op.operands[0]!)[0]}`;

function isLookUp(op: Op, { module }: SplitState): boolean {
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
