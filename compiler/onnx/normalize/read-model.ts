import { readWhole } from "../../tensors/files/index.ts";
import type { OnnxModel } from "../format/index.ts";
import { decodeModel, wireLimits } from "../format/index.ts";
import { normsApart } from "./norms-apart.ts";
import { unpackQuantised } from "./stored-quantised.ts";
import { sumsApart } from "./sums-apart.ts";

/** A model from its file, with quantised weights as the numbers that they stand for, and fused norms beside what they are of. */
export function readModel(file: string): OnnxModel {
  return normsApart(sumsApart(unpackQuantised(decodeModel(readWhole(file, wireLimits.bytes), file))));
}
