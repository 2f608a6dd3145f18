import type { ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { sizeOf } from "../../ir/type.ts";
import type { SplitState } from "../pass.ts";
import { type Draft, derivedParam, rewriteOps } from "./draft.ts";

/**
 * x·W − t > 0 holds where x·(W·c) − t·c > 0 does, for a positive number c of each column. With the power of two that
 * brings the largest element of the column near 1, private tests of features of any size have one scale. The powers
 * follow from W, and are known to whoever knows W: W and t are private, and nobody reads the values in between.
 */
export const scaleTests = (state: SplitState): SplitState =>
  rewriteOps(state, (op, draft) => {
    if (op.name !== "compare") return undefined;
    const [difference, zero] = op.operands as [ValueId, ValueId];
    const sub = draft.producer(difference);
    const isZero = draft.isParam(zero) && draft.type(zero).label === "public";
    if (sub?.name !== "sub" || !isZero || draft.weight(zero).data.some((x) => x !== 0)) return undefined;
    const [values, threshold] = sub.operands as [ValueId, ValueId];
    const product = draft.producer(values);
    const [x, matrix] = product?.operands ?? [];
    if (product?.name !== "matmul" || x === undefined || matrix === undefined) return undefined;
    if (![matrix, threshold].every((id) => isPrivate(id, draft))) return undefined;
    if (![difference, values].every((id) => draft.users(id).length === 1 && !draft.isOutput(id))) return undefined;
    const { shape } = draft.type(threshold);
    const columns = draft.type(matrix).shape.at(-1)!;
    if (draft.type(matrix).shape.length !== 2 || shape.at(-1) !== columns || sizeOf(shape) !== columns)
      return undefined;
    const powers = powersOf(draft.weight(matrix));
    const tests = [x, scaled(matrix, powers, draft)];
    const beyond = [draft.emit("matmul", tests, {}, `${values}.near`), scaled(threshold, powers, draft)];
    return draft.emit("compare", [draft.emit("sub", beyond, {}, `${difference}.near`), zero], op.attrs, op.result);
  });

const isPrivate = (id: ValueId, draft: Draft): boolean => draft.isParam(id) && draft.type(id).label === "server";

function powersOf({ shape: [rows, columns], data }: Tensor): Tensor {
  const largest = Array.from({ length: columns! }, (_, column) =>
    Array.from({ length: rows! }, (__, row) => Math.abs(data[row * columns! + column]!)).reduce((a, b) =>
      Math.max(a, b),
    ),
  );
  return {
    shape: [columns!],
    data: Float64Array.from(largest, (most) => (most > 0 ? 2 ** -Math.ceil(Math.log2(most)) : 1)),
  };
}

const scaled = (param: ValueId, powers: Tensor, draft: Draft): ValueId =>
  derivedParam(draft, `${draft.weightName(param)} near 1`, "mul", [
    { value: draft.weight(param), label: "server" },
    { value: powers, label: "server" },
  ]);
