import { bothScores, classLabels, largestScore, positiveScore, transformed, writeLabel } from "./class-scores.ts";
import { columns, type MlBuilder, numbersOf, textOf } from "./ml-builder.ts";
import { type DecisionTree, readTrees, targetCount } from "./tree-structure.ts";

/** Elements of the matrix of paths: more trees or leaves than that would take minutes. */
const maxPathElements = 2 ** 24;

/**
 * The sums of what the leaves add, [N, targets], without a branch that an input decides: every test of every tree is
 * taken, and the leaf whose path has as many met tests as it is long is the one reached. Hummingbird calls this the
 * strategy of matrix products (Nakandala et al., OSDI 2020, section 4.1). Features, thresholds, paths and leaves are
 * weights, so a private ensemble shows the number of its trees, the most tests and leaves of one, the last feature that
 * any tests, and whether leaves are shares of a class or have both signs.
 */
function leafSums(builder: MlBuilder, trees: readonly DecisionTree[], targets: number): string {
  const { add, real, weight, integers, number } = builder;
  const most = (count: (tree: DecisionTree) => number): number => Math.max(1, ...trees.map(count));
  const [tests, leaves] = [most((tree) => tree.tests.length), most((tree) => tree.leaves.length)];
  const features = 1 + Math.max(0, ...trees.flatMap((tree) => tree.tests.map(({ feature }) => feature)));
  if (!(trees.length * tests * Math.max(leaves, features) <= maxPathElements))
    throw new Error(
      `expected at most ${maxPathElements} pairs of tests and leaves, found ${trees.length} trees of ${tests} tests and ${leaves} leaves`,
    );
  const all = trees.length * tests;

  const selected = new Float64Array(features * all);
  const thresholds = new Float64Array(all);
  const paths = new Float64Array(all * leaves);
  // A place without a leaf has no path, so it counts 0 and is never reached.
  const lengths = new Float64Array(trees.length * leaves).fill(0.5);
  const adds = new Float64Array(trees.length * leaves * targets);
  for (const [at, tree] of trees.entries()) {
    for (const [test, { feature, sign, threshold }] of tree.tests.entries()) {
      selected[feature * all + at * tests + test] = sign;
      thresholds[at * tests + test] = threshold;
    }
    for (const [leaf, { holding, failing, adds: own }] of tree.leaves.entries()) {
      for (const test of holding) paths[(at * tests + test) * leaves + leaf] = 1;
      for (const test of failing) paths[(at * tests + test) * leaves + leaf] = -1;
      lengths[at * leaves + leaf] = holding.length - 0.5;
      for (const { target, weight: value } of own) {
        if (!(target >= 0 && target < targets)) throw new Error(`a leaf of target ${target}, of ${targets}`);
        const place = (at * leaves + leaf) * targets + target;
        adds[place] = adds[place]! + value;
      }
    }
  }

  const zero = number(0);
  // Features behind the last that a tree tests do not matter.
  const x = columns(builder, real(0), 0, features);
  const values = add("MatMul", [x, weight("features", [features, all], [...selected])]);
  const beyond = add("Sub", [values, weight("thresholds", [all], [...thresholds])]);
  const met = add("Cast", [add("Not", [add("Greater", [beyond, zero])])], { to: 1 });
  const byTree = add("Transpose", [add("Reshape", [met, integers([-1, trees.length, tests])])], { perm: [1, 0, 2] });
  const counts = add("MatMul", [byTree, weight("paths", [trees.length, tests, leaves], [...paths])]);
  const missing = add("Sub", [counts, weight("lengths", [trees.length, 1, leaves], [...lengths])]);
  const reached = add("Cast", [add("Not", [add("Less", [missing, zero])])], { to: 1 });
  const flat = add("Reshape", [
    add("Transpose", [reached], { perm: [1, 0, 2] }),
    integers([-1, trees.length * leaves]),
  ]);
  return add("MatMul", [flat, weight("leaves", [trees.length * leaves, targets], [...adds])]);
}

/** What the node adds to all sums. */
function withBase({ node, add, weight }: MlBuilder, sums: string, targets: number): string {
  const base = numbersOf(node, "base_values");
  return base.length === 0 ? sums : add("Add", [sums, weight("base_values", [targets], base)]);
}

export function treeEnsembleRegressor(builder: MlBuilder): readonly string[] {
  const { node, add, number, output } = builder;
  const targets = targetCount(builder);
  const trees = readTrees(builder, "target");
  const sums = leafSums(builder, trees, targets);
  const aggregate = textOf(node, "aggregate_function", "SUM");
  if (aggregate !== "SUM" && aggregate !== "AVERAGE")
    throw new Error(`expected an aggregate_function of SUM or AVERAGE, found ${aggregate}`);
  const mean = aggregate === "AVERAGE" ? add("Mul", [sums, number(1 / trees.length)]) : sums;
  output(0, transformed(builder, withBase(builder, mean, targets)));
  return [];
}

/** As ONNX Runtime reads them: of two classes the second wins where its score is positive, or a share above one half. */
export function treeEnsembleClassifier(builder: MlBuilder): readonly string[] {
  const { node, output, add, number } = builder;
  const { count } = classLabels(builder);
  const trees = readTrees(builder, "class");
  const classes = new Set(numbersOf(node, "class_ids"));
  const single = count === 2 && classes.size === 1;
  const base = numbersOf(node, "base_values");
  const isShare = numbersOf(node, "class_weights").every((weight) => weight >= 0);
  const decide = (score: string): readonly string[] =>
    writeLabel(builder, positiveScore(builder, single && isShare ? add("Sub", [score, number(0.5)]) : score));
  // ONNX Runtime drops weights where two classes have other base values.
  const most = single && classes.has(0) ? 1 : 0;
  if (count === 2 && base.length > most)
    throw new Error(`expected at most ${most} base values for these weights of two classes, found ${base.length}`);
  const sums = leafSums(builder, trees, count);
  const column = (at: number): string => columns(builder, sums, at, at + 1);
  if (single && classes.has(0)) {
    const score = withBase(builder, column(0), 1);
    output(1, bothScores(builder, score, isShare ? "one-minus" : "negated"));
    return decide(score);
  }
  const scores = withBase(builder, sums, count);
  output(1, transformed(builder, scores));
  return count === 2 ? decide(column(1)) : writeLabel(builder, largestScore(builder, scores));
}
