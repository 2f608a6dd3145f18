import type { Label } from "../../../ir/label.ts";
import type { OnnxModel, OnnxNode } from "../format/index.ts";
import { elementOfDtype } from "../weights/index.ts";
import type { GraphOperand, ImportContext } from "./graph/index.ts";
import { displayName } from "./graph/index.ts";

/**
 * Values in the place of what a refused node gives, where the file says their shapes: what reads them is looked at too,
 * so that all that stands against a model is told at once. A module with such values is thrown away.
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
    return [[name, { kind: "value", type, id: into.builder.input(`${displayName(name)}.refused`, type) }] as const];
  });
}
