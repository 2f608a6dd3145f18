import { writeFileSync } from "node:fs";
import { floatInfo, floatTensor, modelBytes, node } from "../compiler/onnx/format/build-model.ts";
import { numbers, type TinyFiles, tiny, writeTiny } from "../end-to-end/tiny-model.ts";

/** The tiny net with more layers between its two: a query takes as long as the caller wants. */
function chain(layers: number, tuned: boolean): Uint8Array {
  const { length, vocabulary, width } = tiny;
  const seed = tuned ? 7 : 8;
  const int = { elemType: 7, shape: { dim: [{ dimValue: 1 }, { dimValue: length }] } };
  const inner = Array.from({ length: layers }, (_, k) => k);
  return modelBytes({
    name: "chain",
    initializer: [
      floatTensor("embed.weight", [vocabulary, width], numbers(vocabulary * width, 1, 1)),
      ...inner.map((k) => floatTensor(`w${k}`, [width, width], numbers(width * width, seed + k, 0.6))),
    ],
    input: [{ name: "tokens", type: { tensorType: int } }],
    output: [floatInfo("logits", 1, length, vocabulary)],
    node: [
      node("Gather", ["embed.weight", "tokens"], ["x0"], "/embed/Gather"),
      ...inner.flatMap((k) => [
        node("MatMul", [`x${k}`, `w${k}`], [`y${k}`], `/layers.${k}/MatMul`),
        node("Relu", [`y${k}`], [k === layers - 1 ? "logits" : `x${k + 1}`], `/layers.${k}/Relu`),
      ]),
    ],
  });
}

export function writeChain(dir: string, layers: number): TinyFiles {
  const files = writeTiny(dir);
  writeFileSync(files.model, chain(layers, true));
  writeFileSync(files.base, chain(layers, false));
  return files;
}
