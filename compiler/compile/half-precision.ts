import { counted } from "../../ir/counted.ts";
import type { OnnxModel, OnnxNode } from "../onnx/format/index.ts";
import { onnxTypeNumber } from "../tensors/index.ts";

const halfTypes: ReadonlySet<number> = new Set([onnxTypeNumber("float16"), onnxTypeNumber("bfloat16")]);

const castsToHalf = ({ op, attributes }: OnnxNode): boolean => {
  const to = op === "Cast" ? attributes.get("to") : undefined;
  return to?.kind === "int" && halfTypes.has(to.value);
};

/** How many nodes a caveat names. */
const maxNamed = 3;

/**
 * Fixed point has other roundings than half precision, and the client computes its part in single precision: the build
 * follows the model in real numbers, and so does its declared error. None: the model has no half precision.
 */
export function halfPrecisionCaveats({ graph }: OnnxModel): readonly string[] {
  const casts = graph.nodes.filter(castsToHalf).map(({ name, outputs }) => name || outputs[0]!);
  const stored = [...graph.initializers.values(), ...graph.inputs].some(
    ({ dtype }) => dtype === "float16" || dtype === "bfloat16",
  );
  if (casts.length === 0 && !stored) return [];
  const named =
    casts.length > 0
      ? `, of which ${counted(casts.length, "Cast")}: ${casts.slice(0, maxNamed).join(", ")}${casts.length > maxNamed ? ", …" : ""}`
      : "";
  return [
    `the model rounds to half precision${named}. The build does not: it follows real numbers, and declared errors do not include that rounding`,
  ];
}
