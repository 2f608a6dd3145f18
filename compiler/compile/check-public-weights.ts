import { typeOf } from "../../ir/module.ts";
import type { SplitState } from "../../passes/pass.ts";
import { sameTensor } from "../onnx/weights/index.ts";

/**
 * Names public weights of a module whose values depend on private ones. The same rewrites made `fromPrivate` from the
 * true weights and `fromPublic` from public ones alone: public weights must be equal in both.
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
