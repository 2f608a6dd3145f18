import { describe, expect, it } from "vitest";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { type Attribute, agreesWithRuntime, type Case, floats, type In, imported, of } from "./one-node.ts";

const domain = "ai.onnx.ml";
const [rows, width] = [3, 4];
const x = of(rows, width);
const drawn = (count: number, seed: number): Attribute => ({ floats: numbers(count, seed, 1) });
const real = (float: number): Attribute => ({ float });
const ml = (op: string, attrs: Case["attrs"], inputs: Case["inputs"] = [x], more: Partial<Case> = {}): Case => ({
  op,
  domain,
  attrs: attrs!,
  inputs,
  ...more,
});
const whole: In = { shape: [rows, 2], values: [0, 3, 7, 3, 7, 9], dtype: "int64" };

describe("features", () =>
  agreesWithRuntime([
    ml("Scaler", { offset: drawn(width, 1), scale: drawn(width, 2) }),
    ml("Scaler", { offset: drawn(1, 1), scale: drawn(1, 2) }),
    ml("Scaler", { offset: drawn(2, 1), scale: drawn(2, 2) }, [whole]),
    ...["MAX", "L1", "L2"].flatMap((norm) => [
      ml("Normalizer", { norm }, [{ shape: [rows, width], values: numbers(rows * width, 3, 1).map((v) => v + 1.5) }]),
      ml("Normalizer", { norm: norm === "MAX" ? "L1" : norm }, [x], { opset: 12 }),
    ]),
    ml("Imputer", { imputed_value_floats: drawn(width, 4), replaced_value_float: real(0) }, [
      { shape: [rows, width], values: [0, 1, 2, 0, 3, 0, 1, 1, 0, 0, 5, 6] },
    ]),
    ml("Imputer", { imputed_value_floats: drawn(1, 4), replaced_value_float: real(Number.NaN) }),
    ml("Imputer", { imputed_value_floats: drawn(1, 4), replaced_value_float: real(Infinity) }),
    ml("Binarizer", { threshold: real(0.25) }),
    ml("FeatureVectorizer", { inputdimensions: [width, 2] }, [x, of(rows, 2)]),
    ml("OneHotEncoder", { cats_int64s: [0, 3, 7], zeros: 1 }, [whole]),
    ml("LabelEncoder", { keys_int64s: [0, 3, 7], values_floats: drawn(3, 6), default_float: real(-2) }, [whole]),
    ml("LabelEncoder", { keys_int64s: [0, 3], values_int64s: [5, -6], default_int64: 40 }, [whole]),
    ml("LabelEncoder", { keys_floats: { floats: [0, 2] }, values_int64s: [5, -6] }, [
      { shape: [4], values: [0, 2, 1, 0] },
    ]),
    ml("ArrayFeatureExtractor", {}, [x, { shape: [2], values: [3, 1], known: true, dtype: "int64" }]),
    ml("ArrayFeatureExtractor", {}, [
      floats(5, 6, 9),
      { shape: [1, 3], values: [2, 0, 1], known: true, dtype: "int64" },
    ]),
  ]));

const transforms = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"];
const both = { outputs: [true, true] } satisfies Partial<Case>;
const labels = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => 10 * at * at - 1);

describe("linear models", () =>
  agreesWithRuntime([
    ml("LinearRegressor", { coefficients: drawn(width, 1), intercepts: drawn(1, 2) }),
    ml("LinearRegressor", { coefficients: drawn(2 * width, 1), targets: 2 }),
    ...transforms.flatMap((post_transform) => [
      ml(
        "LinearClassifier",
        { coefficients: drawn(3 * width, 1), intercepts: drawn(3, 2), classlabels_ints: labels(3), post_transform },
        [x],
        both,
      ),
      ml(
        "LinearClassifier",
        { coefficients: drawn(width, 1), intercepts: drawn(1, 2), classlabels_ints: labels(2), post_transform },
        [x],
        both,
      ),
      ml(
        "LinearClassifier",
        { coefficients: drawn(2 * width, 1), intercepts: drawn(2, 2), classlabels_ints: [0, 1], post_transform },
        [x],
        both,
      ),
    ]),
  ]));

describe("refused by name", () => {
  const messageOf = (each: Case): string => {
    try {
      imported(each);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  const classes = { coefficients: drawn(2 * width, 1), intercepts: drawn(2, 2) };

  it("PROBIT", () => {
    const each = ml("LinearClassifier", { ...classes, classlabels_ints: [0, 1], post_transform: "PROBIT" }, [x], both);
    expect(codesOf(() => imported(each))).toEqual(["MRL0404"]);
    expect(messageOf(each)).toContain(
      "expected a post_transform of NONE, LOGISTIC, SOFTMAX, SOFTMAX_ZERO, found PROBIT",
    );
  });

  it("labels that are texts, but not the scores beside them", () => {
    const text = { ...classes, classlabels_strings: ["cat", "dog"] };
    expect(messageOf(ml("LinearClassifier", text, [x], both))).toContain("reveal the scores instead");
    expect(messageOf(ml("LinearClassifier", text, [x], { outputs: [false, true] }))).toBe("");
  });

  it("texts as keys or values", () => {
    expect(messageOf(ml("LabelEncoder", { keys_strings: ["a"], values_int64s: [1] }))).toContain("keys are texts");
    expect(messageOf(ml("LabelEncoder", { keys_int64s: [1], values_strings: ["a"] }))).toContain("values are texts");
    expect(messageOf(ml("OneHotEncoder", { cats_strings: ["a"] }))).toContain("give the model the numbers");
  });

  it("numbers that are too many or too few", () => {
    const each = ml("LinearRegressor", { coefficients: drawn(7, 1), targets: 2 });
    expect(messageOf(each)).toContain("LinearRegressor: expected 2 × 3.5 numbers of coefficients, found 7");
  });
});
