import { typeOf } from "../../ir/module.ts";
import type { SplitState } from "../../passes/pass.ts";
import { sameTensor } from "../onnx/weights/index.ts";

/**
 * Public weights of a module whose numbers depend on private ones: `secret` was made from the true weights, `open` by
 * the same rewrites from public ones alone. What a rewrite folds must come out the same in both.
 */
export const dependentNumbers = (
  secret: Pick<SplitState, "module" | "weights">,
  open: Pick<SplitState, "module" | "weights">,
): readonly string[] =>
  Object.entries(secret.module.params).flatMap(([id, name]) => {
    if (typeOf(secret.module, id).label !== "public") return [];
    const [mine, theirs] = [secret.weights.get(name), open.weights.get(open.module.params[id] ?? "")];
    return mine && theirs && (mine.data === theirs.data || sameTensor(mine, theirs)) ? [] : [name];
  });
