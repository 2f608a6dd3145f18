import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkInputs } from "../../../compiler/run/input-files.ts";
import { tensor } from "../../../ir/tensor.ts";
import { codesOf } from "../onnx/format/build-model.ts";
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
    // Two features of the query are missing: which, only the client knows.
    "skl-imputer": both,
    // Numbers of any size: targets in the hundreds, features from 0.002 to 2000, inverse variances of 100.
    "skl-opset-twice": { outputs: ["variable"], options },
    "skl-logreg-scaler": { outputs: ["probabilities"], options },
    "skl-svc-rbf": { ...both, ops: { exp: 1 } },
    "skl-gaussian-nb": both,
  });
});

it("NaN is a missing element only of an input whose gaps the model fills", () => {
  const x = { name: "x", label: "client", shape: [2], type: "f32" } as const;
  const given = new Map([["x", { dtype: "float32" as const, tensor: tensor([2], [1, Number.NaN]) }]]);
  const codesWith = (input: typeof x & { readonly gaps?: true }) =>
    codesOf(() => checkInputs({ inputs: [input] }, given));

  expect(codesWith(x)).toEqual(["MRL0812"]);
  expect(codesWith({ ...x, gaps: true })).toEqual([]);
});
