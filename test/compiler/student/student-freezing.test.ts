import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { makeStudent } from "../../../compiler/student/make-student.ts";
import { models } from "../../harness/fixtures.ts";

const base = resolve(import.meta.dirname, "../../../fixtures/date-llama/base-ts17.onnx");

/** Names in training of the parameters that are trained when a part of the layers is frozen. */
const trainedParameters = (model: string, freeze: number): string[] =>
  makeStudent({ model, dataFile: "w", freeze })
    .manifest.weights.filter(({ trained }) => trained)
    .map(({ parameter }) => parameter);

describe("freezing", () => {
  it("of half trains the later layers and the norm behind them", () => {
    const trained = trainedParameters(base, 0.5);

    const outsideLaterLayers = trained.filter((name) => !/layers\.[345]\./.test(name));
    expect(outsideLaterLayers).toEqual(["model.norm.weight"]);
    expect(trained).toHaveLength(3 * 9 + 1);
  });

  it("of a quarter keeps the first of six layers", () => {
    const noLayer = -1;
    const layerOf = (name: string): number => Number(/layers\.(\d+)/.exec(name)?.[1] ?? noLayer);

    const trained = trainedParameters(base, 0.25);

    expect(new Set(trained.map(layerOf))).toEqual(new Set([1, 2, 3, 4, 5, noLayer]));
  });

  it("of nothing keeps the vocabulary still", () => {
    const trained = trainedParameters(base, 0);

    expect(trained).not.toContain("lm_head.weight");
  });

  it("of everything trains nothing", () => {
    const trained = trainedParameters(base, 1);

    expect(trained).toEqual([]);
  });

  it("of a classifier trains everything after the last layer", () => {
    const classifier = join(models, "dev_bert_dy18_static", "model.onnx");

    const trained = trainedParameters(classifier, 0.5);

    const outsideLastLayer = trained.filter((name) => !name.includes("layer.1."));
    expect(outsideLastLayer.sort()).toEqual([
      "bert.pooler.dense.bias",
      "bert.pooler.dense.weight",
      "classifier.bias",
      "classifier.weight",
    ]);
  });
});
