import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { tensor } from "../../../ir/tensor.ts";
import { caseFile, checkModelCases } from "./model-cases.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-exported-"));
afterAll(() => rmSync(dir, { recursive: true }));

describe("what exporters write around a model", () => {
  checkModelCases(dir, {
    // Height and width are both called "?".
    "paddle-question-mark": { outputs: ["y"], options: { dims: { "x.0": 1, "x.2": 8, "x.3": 24 } }, ops: { conv: 1 } },
    // Constants whose shape alone is read, and an output with a colon in its name.
    // A softmax with max(−∞, row maximum).
    "jax-max-minus-inf": { outputs: ["y"], ops: { maximum: 0 } },
    "keras-attention-dead-consts": { outputs: ["Identity:0"], ops: { softmax: 1 } },
    // The branch of the fixed rate: its front end, with a root of small numbers, is the client's own.
    "silero-vad-structure": {
      outputs: ["output", "stateN"],
      options: {
        private: ["*decoder*"],
        dims: { "input.0": 1, "input.1": 64, "state.1": 1 },
        fixed: { sr: 16000 },
      },
      ops: { conv: 1, sqrt: 0, where: 0, sigmoid: 4 },
    },
  });
});

describe("networks of scikit-learn", () => {
  const size = { dims: { "X.0": 2 } };
  checkModelCases(dir, {
    "skl-mlp-label": { outputs: ["label", "probabilities"], options: size, ops: { sigmoid: 1, argmax: 1 } },
    "skl-zipmap": {
      outputs: ["output_probability"],
      options: size,
      ops: { sigmoid: 1, argmax: 0 },
      // Node's binding of ONNX Runtime cannot return maps; Python's did.
      expected: async (name) => {
        const text = readFileSync(caseFile(name, "expected.json"), "utf8");
        const { output_probability: rows } = JSON.parse(text) as { output_probability: number[][] };
        return new Map([["output_probability", tensor([2, 2], rows.flat())]]);
      },
    },
  });
});
