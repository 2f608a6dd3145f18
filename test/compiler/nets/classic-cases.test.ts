import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { checkModelCases } from "./model-cases.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-classic-"));
afterAll(() => rmSync(dir, { recursive: true }));

describe("Hummingbird's three strategies for trees, with private thresholds", () => {
  checkModelCases(dir, {
    "hummingbird-gemm": { outputs: ["y"], ops: { compare: 2, matmul: 3 } },
    // Indices of the next node stay hidden: every table is read with one-hot rows.
    "hummingbird-traversal": { outputs: ["y"], options: { private: ["thresholds", "values"] } },
    "hummingbird-perfect": { outputs: ["y"], options: { private: ["*bias*", "leaf_nodes"] } },
  });
});

describe("models of scikit-learn, with every number private", () => {
  const options = { dims: { "X.0": 2 } };
  const both = { outputs: ["label", "probabilities"], options };
  checkModelCases(dir, {
    // Trees are two comparisons, however deep they are.
    "skl-random-forest": { ...both, ops: { compare: 2, argmax: 1 } },
    "skl-boosted-classes": { ...both, ops: { compare: 2, softmax: 1 } },
    "skl-boosted-numbers": { outputs: ["variable"], options, ops: { compare: 2 } },
    "skl-adaboost": both,
    "skl-svc-linear": both,
    "skl-pipeline-pca": both,
    // Numbers of any size: targets in the hundreds, features from 0.002 to 2000, inverse variances of 100.
    "skl-opset-twice": { outputs: ["variable"], options },
    "skl-logreg-scaler": { outputs: ["probabilities"], options },
    "skl-svc-rbf": { ...both, ops: { exp: 1 } },
    "skl-gaussian-nb": both,
  });
});
