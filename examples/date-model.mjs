import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "marillc";

const fixture = (name) => fileURLToPath(new URL(`../fixtures/date-llama/${name}`, import.meta.url));

/** The model of these examples, as options of `compile`: a small LLaMA with a private LoRA adapter. */
export const dateModel = {
  model: fixture("base-ts17.onnx"),
  adapter: fixture("adapter"),
  reveal: { logits: "client" },
  calibrate: fixture("calibration.jsonl"),
  quality: "fast", // the default is nearer, and takes more rounds
};

/** The tokens of `date 4/4/21 (m/d/y)=`, padded on the right to the context length of 48. */
export const tokens = [1, 70, 67, 86, 71, 3, 23, 18, 23, 18, 21, 20, 3, 11, 79, 18, 70, 18, 91, 12, 32];
export const window = [[...tokens, ...Array(48 - tokens.length).fill(0)]];

/** The most likely next token, from logits [1, 48, vocabulary]. */
export function nextToken({ shape, data }) {
  const row = data.slice((tokens.length - 1) * shape[2], tokens.length * shape[2]);
  return row.indexOf(Math.max(...row));
}

/** The build directory on the command line; without one, compiles the model into `folder`. */
export async function dateBuild(folder) {
  const [, , given] = process.argv;
  if (given !== undefined) return given;
  const { directory } = await compile({ ...dateModel, output: join(folder, "build") });
  return directory;
}
