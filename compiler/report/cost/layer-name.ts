/** Matches "layers.4", or the like, in ONNX node names such as /model/layers.4/self_attn/q_proj/MatMul or /h.4/attn. */
const numbered = /(?:^|[/._])((?:layers?|h|blocks?|stages?)[._/]\d+)(?=[/._]|$)/;

/** The layer of a node name; "" for a node outside of numbered layers. */
export function layerName(origin: string): string {
  const found = numbered.exec(origin)?.[1];
  return found === undefined ? "" : found.replace(/[_/]/, ".");
}
