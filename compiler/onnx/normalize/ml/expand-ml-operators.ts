import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxValueInfo } from "../../format/index.ts";
import {
  binarizer,
  featureVectorizer,
  imputer,
  labelEncoder,
  normalizer,
  oneHotEncoder,
  scaler,
} from "./feature-steps.ts";
import { linearClassifier, linearRegressor } from "./linear-models.ts";
import { createMlBuilders, defaultOpset, type MlAdditions, type MlBuilder } from "./ml-builder.ts";

import { svmClassifier, svmRegressor } from "./support-vectors.ts";
import { treeEnsembleClassifier, treeEnsembleRegressor } from "./tree-ensembles.ts";

/**
 * Writes a node in operators of the default domain. Returns the outputs that it does not compute: labels that are texts.
 * Throws a plain Error for attributes that it does not support.
 */
type MlExpansion = (builder: MlBuilder) => readonly string[];

export const mlDomain = "ai.onnx.ml";

/** Operators that keep trained numbers in attributes, where no option could name their owner. */
const expansions: Readonly<Record<string, MlExpansion>> = {
  Binarizer: binarizer,
  FeatureVectorizer: featureVectorizer,
  Imputer: imputer,
  LabelEncoder: labelEncoder,
  LinearClassifier: linearClassifier,
  LinearRegressor: linearRegressor,
  Normalizer: normalizer,
  OneHotEncoder: oneHotEncoder,
  Scaler: scaler,
  SVMClassifier: svmClassifier,
  SVMRegressor: svmRegressor,
  TreeEnsembleClassifier: treeEnsembleClassifier,
  TreeEnsembleRegressor: treeEnsembleRegressor,
};

export const expandedMlOperators: readonly string[] = Object.keys(expansions);

/** Attribute of a node that stays, with the reason. */
export const refusalAttribute = "marillc.refusal";

/**
 * Replaces operators of ai.onnx.ml, as scikit-learn's converters write them, by operators of the default domain, and
 * their attributes by stored tensors: trained numbers then have names and owners as any weight has.
 */
export function expandMlOperators(model: OnnxModel): OnnxModel {
  const { graph } = model;
  if (!graph.nodes.some(({ domain }) => domain === mlDomain)) return model;
  const builderOf = createMlBuilders(model);
  const all: MlAdditions = { nodes: [], initializers: new Map(graph.initializers) };
  for (const node of graph.nodes) {
    const { nodes, initializers } = expand(node, builderOf);
    all.nodes.push(...nodes);
    for (const [name, tensor] of initializers) all.initializers.set(name, tensor);
  }
  const opsets = model.opsets.has("") ? model.opsets : new Map([...model.opsets, ["", defaultOpset] as const]);
  return { ...model, opsets, graph: openMaps({ ...graph, ...all }, graph) };
}

function expand(node: OnnxNode, builderOf: ReturnType<typeof createMlBuilders>): MlAdditions {
  const expansion = node.domain === mlDomain && Object.hasOwn(expansions, node.op) ? expansions[node.op] : undefined;
  const added: MlAdditions = { nodes: [], initializers: new Map() };
  if (!expansion) return { nodes: [withoutMap(node)], initializers: new Map() };
  try {
    const texts = expansion(builderOf(node, added)) ?? [];
    if (texts.length > 0) added.nodes.push(refused({ ...node, outputs: texts }, textLabel));
    return added;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { nodes: [refused(node, error.message)], initializers: new Map() };
  }
}

const textLabel =
  "its label is text, which has no fixed point: reveal the scores instead, whose columns are the labels in their order, or export the model with integer labels";

const refused = (node: OnnxNode, reason: string): OnnxNode => {
  const refusal: readonly [string, OnnxAttribute] = [refusalAttribute, { kind: "string", value: reason }];
  return { ...node, attributes: new Map([...node.attributes, refusal]) };
};

const isZipMap = ({ op, domain }: OnnxNode): boolean => op === "ZipMap" && domain === mlDomain;

/** ZipMap writes each row of scores as a map from label to score: the scores themselves are the tensor before it. */
const withoutMap = (node: OnnxNode): OnnxNode =>
  isZipMap(node) ? { ...node, op: "Identity", domain: "", attributes: new Map() } : node;

/** Outputs of ZipMap are tensors now, as wide as there are labels. */
function openMaps(graph: OnnxGraph, before: OnnxGraph): OnnxGraph {
  const widths = new Map(
    before.nodes.filter(isZipMap).map(({ outputs: [output = ""], attributes }) => {
      const lists = [...attributes.values()].map(({ value }) => (Array.isArray(value) ? value.length : 0));
      return [output, Math.max(0, ...lists)] as const;
    }),
  );
  const open = (info: OnnxValueInfo): OnnxValueInfo => {
    const width = widths.get(info.name);
    return width === undefined ? info : { ...info, kind: "tensor", dtype: "float32", dims: [undefined, width] };
  };
  return { ...graph, outputs: graph.outputs.map(open) };
}
