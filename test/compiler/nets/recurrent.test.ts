import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { checkNets } from "./nets.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-rnn-"));
afterAll(() => rmSync(dir, { recursive: true }));

describe("small recurrent nets", () => {
  checkNets(dir, {
    lstm: { sigmoid: 8, tanh: 16 },
    "lstm-layers": { sigmoid: 8, tanh: 16 },
    gru: { sigmoid: 8, tanh: 8 },
    "gru-plain": { sigmoid: 4, tanh: 4 },
    // The first state is 0: three rounds multiply with the recurrent matrix, four with the other; then the classifier.
    "gru-zero": { sigmoid: 4, tanh: 4, matmul: 3 + 4 + 1 },
    // Known lengths select between states without a comparison.
    "gru-packed": { sigmoid: 8, tanh: 8 },
    rnn: { relu: 8 },
    fastgrnn: { sigmoid: 4, tanh: 4 },
    "fastgrnn-loop": { sigmoid: 4, tanh: 4 },
  });
});
