import { readWholeFile } from "../../tensors/files/index.ts";
import { decodeModel, type OnnxModel, scanLimits } from "../format/index.ts";
import { decomposeSkipNorm } from "./decompose-skip-norm.ts";
import { dequantizeInitializers } from "./dequantize-initializers.ts";
import { splitFusedNorms } from "./split-fused-norm.ts";

/** Reads a model from its file, dequantizes its weights, and separates sums from fused norms. */
export function readModel(file: string): OnnxModel {
  return splitFusedNorms(
    decomposeSkipNorm(dequantizeInitializers(decodeModel(readWholeFile(file, scanLimits.bytes), file))),
  );
}
