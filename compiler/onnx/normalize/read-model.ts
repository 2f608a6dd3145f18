import { readWholeFile } from "../../tensors/files/index.ts";
import { decodeModel, type OnnxModel, scanLimits } from "../format/index.ts";
import { decomposeSkipNorm } from "./decompose-skip-norm.ts";
import { dequantizeInitializers } from "./dequantize-initializers.ts";
import { expandMlOperators } from "./ml/expand-ml-operators.ts";
import { splitFusedNorms } from "./split-fused-norm.ts";

/** Reads a model from its file, writes out operators of ai.onnx.ml, dequantizes its weights, and separates sums from fused norms. */
export function readModel(file: string): OnnxModel {
  const decoded = decodeModel(readWholeFile(file, scanLimits.bytes), file);
  return splitFusedNorms(decomposeSkipNorm(dequantizeInitializers(expandMlOperators(decoded))));
}
