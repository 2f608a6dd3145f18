import { typeOf } from "../../ir/module.ts";
import type { SplitState } from "../../passes/pass.ts";
import { sameTensor } from "../onnx/weights/index.ts";

/**
 * Public weights of a module whose numbers depend on private ones: `secret` was made from the true weights, `open` by
 * the same rewrites from public ones alone. What a rewrite folds must come out the same in both.
 */
export const publicWeightsFromPrivate = (
  fromPrivate: Pick<SplitState, "module" | "weights">,
  fromPublic: Pick<SplitState, "module" | "weights">,
): readonly string[] =>
  Object.entries(fromPrivate.module.params).flatMap(([id, name]) => {
    if (typeOf(fromPrivate.module, id).label !== "public") return [];
    const [mine, theirs] = [fromPrivate.weights.get(name), fromPublic.weights.get(fromPublic.module.params[id] ?? "")];
    return mine && theirs && (mine.data === theirs.data || sameTensor(mine, theirs)) ? [] : [name];
  });
