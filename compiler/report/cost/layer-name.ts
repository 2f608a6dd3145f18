/** "layers.4" of an ONNX node like /model/layers.4/self_attn/q_proj/MatMul or /h.4/attn, or what stands for it. */
const numbered = /(?:^|[/._])((?:layers?|h|blocks?|stages?)[._/]\d+)(?=[/._]|$)/;

export function layerName(origin: string): string {
  const found = numbered.exec(origin)?.[1];
  return found === undefined ? "" : found.replace(/[_/]/, ".");
}
