import type { Label } from "../../../ir/label.ts";
import type { OnnxModel, OnnxNode } from "../format/index.ts";
import { elementOfDtype } from "../weights/index.ts";
import { displayName, type GraphOperand, type ImportContext } from "./graph/index.ts";

/**
 * Values that replace the outputs of a refused node, where the file states their shapes: the import then visits the
 * readers too and reports all blockers at once. A module with such values is discarded.
 */
export function placeholderValues(
  { graph }: OnnxModel,
  node: OnnxNode,
  values: ReadonlyMap<string, GraphOperand>,
  into: ImportContext,
): readonly (readonly [string, GraphOperand])[] {
  const isShared = node.inputs.some((name) => {
    const operand = values.get(name);
    return operand?.kind === "value" && operand.type.label === "shared";
  });
  const label: Label = isShared ? "shared" : "client";
  return node.outputs.flatMap((name) => {
    const info = graph.valueInfo.get(name);
    const shape = info?.dims?.filter((dim) => typeof dim === "number") ?? [];
    if (name === "" || !info?.dtype || info.kind !== "tensor" || shape.length !== info.dims?.length) return [];
    const type = { label, element: elementOfDtype(info.dtype), shape };
    return [[name, into.input(`${displayName(name)}.refused`, type)] as const];
  });
}
