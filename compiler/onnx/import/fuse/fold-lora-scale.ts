import { edit, removeDead, replaceUses } from "../../../../ir/edit.ts";
import { type Module, type Op, opsOf, typeOf } from "../../../../ir/module.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import { usersOf } from "../../../../ir/uses.ts";
import { constantPrefix, type StoredWeight } from "../graph/index.ts";

export interface FoldedLoraScale {
  readonly module: Module;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly storedWeights: ReadonlyMap<string, StoredWeight>;
}

interface LoraBranch {
  readonly scaled: Op;
  readonly product: Op;
  /** Weight key of B. */
  readonly key: string;
  readonly factor: number;
}

/** Finds unmerged LoRA layers, x·W + s · ((x·A)·B), with W, A and B stored and of matching shapes. */
function branchesOf(module: Module, weights: ReadonlyMap<string, Tensor>): readonly LoraBranch[] {
  const definers = new Map(opsOf(module).map((op) => [op.result, op]));
  const users = usersOf(opsOf(module));
  const keyOf = (id: string | undefined): string | undefined => (id === undefined ? undefined : module.params[id]);
  const isStored = (id: string | undefined): boolean => keyOf(id)?.startsWith(constantPrefix) === false;
  const scalarOf = (id: string): number | undefined => {
    const key = keyOf(id);
    const tensor = key?.startsWith(constantPrefix) ? weights.get(key) : undefined;
    return tensor?.data.length === 1 ? tensor.data[0] : undefined;
  };
  return opsOf(module).flatMap((sum): LoraBranch[] => {
    if (sum.name !== "add") return [];
    for (const [base, branch] of [sum.operands, [...sum.operands].reverse()]) {
      const whole = definers.get(base!);
      const scaled = definers.get(branch!);
      if (scaled?.name !== "mul" || users.get(scaled.result)?.length !== 1) continue;
      const index = scaled.operands.findIndex((id) => scalarOf(id) !== undefined);
      const product = definers.get(scaled.operands[1 - index] ?? "");
      const low = definers.get(product?.operands[0] ?? "");
      if (
        product?.name !== "matmul" ||
        low?.name !== "matmul" ||
        !isStored(product.operands[1]) ||
        !isStored(low.operands[1])
      )
        continue;
      const x = wholeInput(whole, definers);
      const b = product.operands[1]!;
      const alone = users.get(b)?.length === 1 && users.get(product.result)?.length === 1;
      const narrow = typeOf(module, b).shape[0]! < typeOf(module, b).shape[1]!;
      if (x !== low.operands[0] || !alone || !narrow) continue;
      return [{ scaled, product, key: keyOf(b)!, factor: scalarOf(scaled.operands[index]!)! }];
    }
    return [];
  });
}

/** x of x·W or x·W + bias. */
function wholeInput(op: Op | undefined, definers: ReadonlyMap<string, Op>): string | undefined {
  if (op?.name === "matmul") return op.operands[0];
  if (op?.name !== "add") return undefined;
  const inner = op.operands.map((id) => definers.get(id)).find((definer) => definer?.name === "matmul");
  return inner?.operands[0];
}

// s · (t·B) = t · (s·B)
export function foldLoraScale(
  module: Module,
  weights: ReadonlyMap<string, Tensor>,
  storedWeights: ReadonlyMap<string, StoredWeight>,
): FoldedLoraScale {
  const branches = branchesOf(module, weights);
  if (branches.length === 0) return { module, weights, storedWeights };
  const changed = new Map(weights);
  const views = new Map(storedWeights);
  for (const { key, factor } of branches) {
    const { shape, data } = weights.get(key)!;
    changed.set(key, { shape, data: data.map((value) => value * factor) });
    const origin = storedWeights.get(key)!;
    views.set(key, { ...origin, views: [...origin.views, { op: "scale", attrs: { by: factor } }] });
  }
  const folded = edit(module, (draft) => {
    for (const { scaled, product } of branches) replaceUses(draft, scaled.result, product.result);
  });
  return { module: removeDead(folded), weights: changed, storedWeights: views };
}
