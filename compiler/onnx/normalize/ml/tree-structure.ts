import { type MlBuilder, numberOf, numbersOf, textsOf } from "./ml-builder.ts";

/** A test of one feature: sign · x ≤ threshold. */
export interface TreeTest {
  readonly feature: number;
  readonly sign: 1 | -1;
  readonly threshold: number;
}

export interface TreeLeaf {
  /** Tests of the tree that must hold on the way to the leaf, and that must not. */
  readonly holding: readonly number[];
  readonly failing: readonly number[];
  /** What the leaf adds, by target or class. */
  readonly adds: readonly { readonly target: number; readonly weight: number }[];
}

export interface DecisionTree {
  readonly tests: readonly TreeTest[];
  readonly leaves: readonly TreeLeaf[];
}

/** What leaves add is called so in regressors and in classifiers. */
export type LeafPrefix = "target" | "class";

/**
 * Every test in the form ±x ≤ ±t: x ≥ t is −x ≤ −t, and > and < are their opposites, with branches swapped. So a number
 * that equals its threshold takes the right branch as well once both are rounded.
 */
const modes: Readonly<Record<string, { readonly sign: 1 | -1; readonly swapped: boolean }>> = {
  BRANCH_LEQ: { sign: 1, swapped: false },
  BRANCH_LT: { sign: -1, swapped: true },
  BRANCH_GTE: { sign: -1, swapped: false },
  BRANCH_GT: { sign: 1, swapped: true },
};

interface TreeNode {
  readonly mode: string;
  readonly feature: number;
  readonly value: number;
  readonly truth: number;
  readonly falsehood: number;
}

/** A number or its double in the attribute of that name with `_as_tensor`, which no exporter of scikit-learn writes. */
function refuseDoubles({ node }: MlBuilder): void {
  const [name] = [...node.attributes.keys()].filter((each) => each.endsWith("_as_tensor"));
  if (name !== undefined)
    throw new Error(`thresholds in double precision (${name}): export the model for float32 inputs`);
}

/** The trees of the node, in the order of the file. Throws a plain Error where they are no trees. */
export function readTrees(builder: MlBuilder, prefix: LeafPrefix): readonly DecisionTree[] {
  const { node } = builder;
  refuseDoubles(builder);
  const list = (name: string): readonly number[] => numbersOf(node, name);
  const [ids, trees] = [list("nodes_nodeids"), list("nodes_treeids")];
  const [features, values] = [list("nodes_featureids"), list("nodes_values")];
  const [truths, falsehoods, kinds] = [
    list("nodes_truenodeids"),
    list("nodes_falsenodeids"),
    textsOf(node, "nodes_modes"),
  ];
  if ([trees, features, values, truths, falsehoods, kinds].some(({ length }) => length !== ids.length))
    throw new Error("expected lists of nodes of one length");
  const nodes = new Map<number, Map<number, TreeNode>>();
  for (const [at, tree] of trees.entries()) {
    const own = nodes.get(tree) ?? new Map<number, TreeNode>();
    nodes.set(tree, own);
    if (own.has(ids[at]!)) throw new Error(`node ${ids[at]} of tree ${tree} is given twice`);
    own.set(ids[at]!, {
      mode: kinds[at]!,
      feature: features[at]!,
      value: values[at]!,
      truth: truths[at]!,
      falsehood: falsehoods[at]!,
    });
  }
  const added = leafWeights(builder, prefix);
  return [...nodes].map(([tree, own]) => treeOf(own, (leaf) => added.get(`${tree} ${leaf}`) ?? []));
}

function leafWeights({ node }: MlBuilder, prefix: LeafPrefix): ReadonlyMap<string, TreeLeaf["adds"][number][]> {
  const list = (name: string): readonly number[] => numbersOf(node, `${prefix}_${name}`);
  const [trees, leaves, targets, weights] = ["treeids", "nodeids", "ids", "weights"].map(list) as number[][];
  if ([leaves, targets, weights].some((each) => each!.length !== trees!.length))
    throw new Error("expected lists of leaves of one length");
  const found = new Map<string, TreeLeaf["adds"][number][]>();
  for (const [at, tree] of trees!.entries()) {
    const key = `${tree} ${leaves![at]}`;
    const add = { target: targets![at]!, weight: weights![at]! };
    const own = found.get(key);
    if (own) own.push(add);
    else found.set(key, [add]);
  }
  return found;
}

interface PlacedNode {
  readonly id: number;
  readonly holding: readonly number[];
  readonly failing: readonly number[];
}

/** The first node that no other node leads to is the root: it comes first in every file. */
function treeOf(nodes: ReadonlyMap<number, TreeNode>, addsOf: (leaf: number) => TreeLeaf["adds"]): DecisionTree {
  const tests: TreeTest[] = [];
  const leaves: TreeLeaf[] = [];
  const [root] = nodes.keys();
  const waiting: PlacedNode[] = [{ id: root!, holding: [], failing: [] }];
  let left = nodes.size;
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { id, holding, failing } = next;
    const node = nodes.get(id);
    if (!node || left-- <= 0) throw new Error(`the nodes around ${id} are no tree`);
    if (node.mode === "LEAF") {
      leaves.push({ holding, failing, adds: addsOf(id) });
      continue;
    }
    const mode = Object.hasOwn(modes, node.mode) ? modes[node.mode]! : undefined;
    if (!mode) throw new Error(`expected branches of ${Object.keys(modes).join(", ")}, found ${node.mode}`);
    const test = tests.length;
    tests.push({ feature: node.feature, sign: mode.sign, threshold: mode.sign * node.value });
    const [yes, no] = mode.swapped ? [node.falsehood, node.truth] : [node.truth, node.falsehood];
    waiting.push({ id: no, holding, failing: [...failing, test] }, { id: yes, holding: [...holding, test], failing });
  }
  return { tests, leaves };
}

/** Targets or classes, from the node's own count or from its leaves. */
export const targetCount = ({ node }: MlBuilder): number => numberOf(node, "n_targets", 1);
