import type { OnnxModel, OnnxNode } from "../format/index.ts";
import { modulePathOf } from "./module-path.ts";

/** `layers.3`, or the path of the node's module; undefined where the file does not give it. */
export function nodeLayer(node: OnnxNode): string | undefined {
  const path = modulePathOf(node, []);
  return path?.match(/(?:^|\.)((?:layers?|h|blocks?)\.\d+)(?:\.|$)/)?.[1] ?? path;
}

/** File, node, operator and layer, for messages. */
export function nodeLocation({ file }: OnnxModel, node: OnnxNode): string {
  const layer = nodeLayer(node);
  return `${file}, node "${node.name}" (${node.op})${layer ? `, layer ${layer}` : ""}`;
}
