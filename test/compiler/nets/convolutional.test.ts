import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { checkNets } from "./nets.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-cnn-"));
afterAll(() => rmSync(dir, { recursive: true }));

describe("small convolutional nets", () => {
  checkNets(dir, {
    resnet: { conv: 11, "max-pool": 1, relu: 10 },
    // Normalization comes before convolutions: its norm weights are factors of their own.
    densenet: { conv: 8, "sum-pool": 1, mul: 7 },
    squeezenet: { conv: 8, "max-pool": 1, concat: 2 },
    mobilenet: { conv: 8, clip: 6 },
    pools: { "max-pool": 3, "sum-pool": 3, sqrt: 1 },
  });
});
