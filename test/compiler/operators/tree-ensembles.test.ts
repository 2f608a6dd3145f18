import { describe, expect, it } from "vitest";
import { numbers } from "../../end-to-end/tiny-model.ts";
import { codesOf } from "../onnx/format/build-model.ts";
import { type Attribute, agreesWithRuntime, type Case, imported, of } from "./one-node.ts";

const [rows, width] = [5, 4];
const real = (values: readonly number[]): Attribute => ({ floats: values });

interface Ensemble {
  readonly trees: number;
  readonly depth: number;
  readonly targets: number;
  readonly modes: readonly string[];
  /** Weights of leaves in 0 … 1 instead of ±1. */
  readonly shares?: true;
  /** All leaves add to this target. */
  readonly only?: number;
}

/** Attributes of trees of a seed: some branches end early, and no two trees have one shape. */
function grow({ trees, depth, targets, modes, shares, only }: Ensemble, prefix: "target" | "class", seed: number) {
  const drawn = numbers(4000, seed, 1);
  let at = 0;
  const next = (): number => drawn[at++]!;
  const nodes: { tree: number; id: number; mode: string; feature: number; value: number; yes: number; no: number }[] =
    [];
  const leaves: { tree: number; id: number; target: number; weight: number }[] = [];
  for (let tree = 0; tree < trees; tree++) {
    let count = 0;
    const place = (level: number): number => {
      const id = count++;
      const isLeaf = level === depth || (level > 0 && next() > 0.6);
      const node = { tree, id, mode: "LEAF", feature: 0, value: 0, yes: 0, no: 0 };
      nodes.push(node);
      if (isLeaf) {
        for (let target = 0; target < targets; target++) {
          if (only !== undefined && target !== only) continue;
          leaves.push({ tree, id, target, weight: shares ? Math.abs(next()) / trees : next() });
        }
        return id;
      }
      node.mode = modes[Math.floor(Math.abs(next()) * modes.length) % modes.length]!;
      node.feature = Math.floor(Math.abs(next()) * width) % width;
      node.value = next();
      node.yes = place(level + 1);
      node.no = place(level + 1);
      return id;
    };
    place(0);
  }
  const of = <T>(list: readonly T[], pick: (each: T) => number): readonly number[] => list.map(pick);
  return {
    nodes_treeids: of(nodes, ({ tree }) => tree),
    nodes_nodeids: of(nodes, ({ id }) => id),
    nodes_featureids: of(nodes, ({ feature }) => feature),
    nodes_modes: nodes.map(({ mode }) => mode),
    nodes_values: real(of(nodes, ({ value }) => value)),
    nodes_truenodeids: of(nodes, ({ yes }) => yes),
    nodes_falsenodeids: of(nodes, ({ no }) => no),
    [`${prefix}_treeids`]: of(leaves, ({ tree }) => tree),
    [`${prefix}_nodeids`]: of(leaves, ({ id }) => id),
    [`${prefix}_ids`]: of(leaves, ({ target }) => target),
    [`${prefix}_weights`]: real(of(leaves, ({ weight }) => weight)),
  } satisfies Record<string, Attribute>;
}

const ml = (op: string, attrs: Readonly<Record<string, Attribute>>): Case => ({
  op,
  domain: "ai.onnx.ml",
  inputs: [of(rows, width)],
  attrs,
  outputs: op.endsWith("Classifier") ? [true, true] : [true],
});
const oneMode = ["BRANCH_LEQ"];
const allModes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"];
const small: Ensemble = { trees: 3, depth: 3, targets: 1, modes: oneMode };

describe("TreeEnsembleRegressor", () =>
  agreesWithRuntime([
    ml("TreeEnsembleRegressor", { ...grow(small, "target", 1), n_targets: 1 }),
    ml("TreeEnsembleRegressor", { ...grow({ ...small, depth: 6 }, "target", 2), n_targets: 1 }),
    ml("TreeEnsembleRegressor", { ...grow({ ...small, depth: 0 }, "target", 2), n_targets: 1 }),
    ml("TreeEnsembleRegressor", {
      ...grow({ ...small, targets: 2 }, "target", 3),
      n_targets: 2,
      base_values: real([0.5, -1]),
    }),
    ml("TreeEnsembleRegressor", { ...grow(small, "target", 4), n_targets: 1, aggregate_function: "AVERAGE" }),
    ...allModes.map((mode, at) =>
      ml("TreeEnsembleRegressor", { ...grow({ ...small, modes: [mode] }, "target", 5 + at), n_targets: 1 }),
    ),
    ml("TreeEnsembleRegressor", { ...grow({ ...small, modes: allModes }, "target", 9), n_targets: 1 }),
  ]));

const transforms = ["NONE", "SOFTMAX", "LOGISTIC"];
describe("TreeEnsembleClassifier", () =>
  agreesWithRuntime([
    ...transforms.flatMap((post_transform, at) => [
      ml("TreeEnsembleClassifier", {
        ...grow({ ...small, targets: 3 }, "class", 10 + at),
        classlabels_int64s: [4, 7, 5],
        post_transform,
      }),
      ml("TreeEnsembleClassifier", {
        ...grow({ ...small, targets: 3, shares: true }, "class", 20 + at),
        classlabels_int64s: [0, 1, 2],
        base_values: real([0.1, -0.2, 0.3]),
        post_transform,
      }),
      // One weight for two classes.
      ml("TreeEnsembleClassifier", {
        ...grow({ ...small, only: 0 }, "class", 30 + at),
        classlabels_int64s: [0, 1],
        post_transform,
      }),
      ml("TreeEnsembleClassifier", {
        ...grow({ ...small, only: 0, shares: true }, "class", 40 + at),
        classlabels_int64s: [0, 1],
        post_transform,
      }),
      ml("TreeEnsembleClassifier", {
        ...grow({ ...small, only: 0 }, "class", 50 + at),
        classlabels_int64s: [3, 8],
        base_values: real([0.25]),
        post_transform,
      }),
      ml("TreeEnsembleClassifier", {
        ...grow({ ...small, targets: 2, only: 1, shares: true }, "class", 55 + at),
        classlabels_int64s: [0, 1],
        post_transform,
      }),
      // Two weights for two classes.
      ml("TreeEnsembleClassifier", {
        ...grow({ ...small, targets: 2 }, "class", 60 + at),
        classlabels_int64s: [0, 1],
        post_transform,
      }),
      ml("TreeEnsembleClassifier", {
        ...grow({ ...small, targets: 2, shares: true }, "class", 70 + at),
        classlabels_int64s: [0, 1],
        post_transform,
      }),
    ]),
  ]));

describe("what is no ensemble of trees", () => {
  const messageOf = (attrs: Readonly<Record<string, Attribute>>): string => {
    const run = () => imported(ml("TreeEnsembleRegressor", { n_targets: 1, ...attrs }));
    expect(codesOf(run)).toEqual(["MRL0404"]);
    try {
      run();
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  const plain = grow({ ...small, trees: 1, depth: 2 }, "target", 1);

  it.each<[string, Readonly<Record<string, Attribute>>, string]>([
    ["a circle", { ...plain, nodes_truenodeids: plain.nodes_truenodeids.map(() => 0) }, "are no tree"],
    ["a way to nowhere", { ...plain, nodes_truenodeids: plain.nodes_truenodeids.map(() => 99) }, "are no tree"],
    ["lists of two lengths", { ...plain, nodes_featureids: [1] }, "lists of nodes of one length"],
    ["a node twice", { ...plain, nodes_nodeids: plain.nodes_nodeids.map(() => 0) }, "is given twice"],
    ["a set of categories", { ...plain, nodes_modes: plain.nodes_modes.map(() => "BRANCH_EQ") }, "found BRANCH_EQ"],
    ["a far feature", { ...plain, nodes_featureids: plain.nodes_featureids.map(() => 2 ** 40) }, "pairs of tests"],
    [
      "a target that is not there",
      { ...plain, target_ids: (plain.target_ids as readonly number[]).map(() => 4) },
      "a leaf of target 4",
    ],
    ["a maximum of trees", { ...plain, aggregate_function: "MAX" }, "found MAX"],
  ])("%s is refused", (_, attrs, message) => {
    expect(messageOf(attrs)).toContain(message);
  });
});

it("two classes with two base values are refused, by name", () => {
  const attrs = {
    ...grow({ ...small, targets: 2 }, "class", 57),
    classlabels_int64s: [0, 1],
    base_values: real([1, 2]),
  };
  expect(() => imported(ml("TreeEnsembleClassifier", attrs))).toThrow("expected at most 0 base values");
});

describe("support vectors", () => {
  const list = (count: number, seed: number): Attribute => real(numbers(count, seed, 1));
  const kernels = [
    ["LINEAR", [0, 0, 0]],
    ["RBF", [0.3, 0, 0]],
    ["POLY", [0.5, 0.25, 3]],
    ["SIGMOID", [0.2, -0.1, 0]],
  ] as const;
  const count = 5;
  const regressor = (kernel_type: string, kernel_params: readonly number[]): Readonly<Record<string, Attribute>> => ({
    kernel_type,
    kernel_params: real(kernel_params),
    n_supports: count,
    support_vectors: list(count * width, 1),
    coefficients: list(count, 2),
    rho: list(1, 3),
  });
  const classifier = (classes: number, kernel: (typeof kernels)[number]): Readonly<Record<string, Attribute>> => {
    const each = 2;
    return {
      kernel_type: kernel[0],
      kernel_params: real(kernel[1]),
      vectors_per_class: Array(classes).fill(each),
      support_vectors: list(classes * each * width, 4),
      coefficients: list(classes * each * (classes - 1), 5),
      rho: list((classes * (classes - 1)) / 2, 6),
      classlabels_ints: Array.from({ length: classes }, (_, at) => 3 * at + 1),
    };
  };
  agreesWithRuntime([
    ...kernels.map(([type, params]) => ml("SVMRegressor", regressor(type, params))),
    ml("SVMRegressor", { coefficients: list(width, 2), rho: list(1, 3), kernel_params: real([0, 0, 0]) }),
    ml("SVMRegressor", { ...regressor("RBF", [0.3, 0, 0]), one_class: 1 }),
    ...kernels.flatMap((kernel) => [2, 3, 4].map((classes) => ml("SVMClassifier", classifier(classes, kernel)))),
    ...["LOGISTIC", "SOFTMAX"].map((post_transform) =>
      ml("SVMClassifier", { ...classifier(2, kernels[1]), post_transform }),
    ),
    // ONNX Runtime finds both probabilities by iteration.
    {
      ...ml("SVMClassifier", { ...classifier(2, kernels[1]), prob_a: list(1, 7), prob_b: list(1, 8) }),
      tolerance: 1e-3,
    },
  ]);

  it("are refused with probabilities of several classes, by name", () => {
    const each = ml("SVMClassifier", { ...classifier(3, kernels[1]), prob_a: list(3, 7), prob_b: list(3, 8) });
    expect(() => imported(each)).toThrow("train with probability=False");
  });
});
