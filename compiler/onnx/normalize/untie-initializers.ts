import { fail } from "../../../ir/diagnostic.ts";
import { sizeOf } from "../../../ir/type.ts";
import { createUnusedNames, type OnnxModel, type OnnxNode } from "../format/index.ts";
import {
  innerGraphNames,
  isMatrixProduct,
  modulePathOf,
  type PathPrefix,
  statedParameterName,
  stripPrefix,
  wrapperPrefixOf,
} from "../weights/index.ts";
import { normalizeInitializers } from "./normalize-initializers.ts";

/** Gives every parameter a tensor of its own, in whatever form the file stores it. */
export const untieInitializers = (model: OnnxModel, known?: ReadonlySet<string>): OnnxModel =>
  untieByUse(normalizeInitializers(model), known);

/** Parameter names of an operator's inputs within its module, by input index. */
const parameterRoles: Readonly<Record<string, readonly (string | undefined)[]>> = {
  BatchNormalization: [undefined, "weight", "bias", "running_mean", "running_var"],
  Conv: [undefined, "weight", "bias"],
  ConvTranspose: [undefined, "weight", "bias"],
  Gather: ["weight"],
  Gemm: [undefined, "weight", "bias"],
  GroupNormalization: [undefined, "weight", "bias"],
  InstanceNormalization: [undefined, "weight", "bias"],
  LayerNormalization: [undefined, "weight", "bias"],
  MatMul: [undefined, "weight"],
  PRelu: [undefined, "weight"],
  RMSNormalization: [undefined, "weight"],
  Transpose: ["weight"],
};

const roleNames: ReadonlySet<string> = new Set(["weight", "bias", "running_mean", "running_var"]);

/**
 * Values that all parameters may have together, beside a number for each value that the file stores: few are merged
 * from many.
 */
const minElementBudget = 2 ** 20;
const elementBudgetFactor = 32;

/** A number follows it in the name of a matrix. No parameter's name ends with it. */
const matrixMark = ":";

interface InitializerUse {
  readonly node: OnnxNode;
  readonly inputIndex: number;
}

/**
 * Separates parameters that an exporter merged because their values are equal: both exporters do so with the norm
 * weights of 1 and biases of 0 of a fresh model, and with a matrix that was copied to another layer. The module of the
 * node says which parameter a use is. Each parameter gets its own owner: what layer 0 has from the base may be private
 * in layer 1. Tied embeddings stay one, unless the base has the head by name.
 */
function untieByUse(model: OnnxModel, known?: ReadonlySet<string>): OnnxModel {
  const { graph } = model;
  const uses = new Map<string, InitializerUse[]>();
  for (const node of graph.nodes) {
    node.inputs.forEach((name, index) => {
      if (!graph.initializers.has(name)) return;
      const all = uses.get(name);
      if (all) all.push({ node, inputIndex: index });
      else uses.set(name, [{ node, inputIndex: index }]);
    });
  }
  const fixed = new Set([
    ...[...graph.inputs, ...graph.outputs].map(({ name }) => name),
    ...graph.nodes.flatMap(innerGraphNames),
  ]);
  const prefix = wrapperPrefixOf(model, known);
  const initializers = new Map(graph.initializers);
  const edits = new Map<OnnxNode, Map<number, string>>();
  // A matrix gets no parameter's name here: its product determines the name and the orientation.
  const unused = createUnusedNames((name) => initializers.has(name) || name.endsWith(matrixMark));
  let room =
    minElementBudget +
    elementBudgetFactor * [...initializers.values()].reduce((sum, { dims }) => sum + sizeOf(dims), 0);
  for (const [name, all] of uses) {
    const tensor = graph.initializers.get(name)!;
    if (fixed.has(name) || !/float/.test(tensor.dtype) || sizeOf(tensor.dims) <= 1) continue;
    const own = statedParameterName(model, tensor);
    const claims = parameterClaims(all, own === undefined ? undefined : stripPrefix(own, prefix), prefix, known);
    if (claims.size === 0) continue;
    room -= claims.size * sizeOf(tensor.dims);
    if (room < 0)
      fail({ code: "MRL0433", message: "the weights of this model expand to too many parameters", at: model.file });
    for (const [claim, claimed] of claims) {
      const base = isMatrixOperand(claimed[0]!) ? `${name}${matrixMark}` : [...prefix, claim].join(".");
      const fresh = unused(base, (n) => `${base}${n}`, 2);
      initializers.set(fresh, { ...tensor, name: fresh, originalName: tensor.originalName ?? name });
      for (const { node, inputIndex: index } of claimed) edits.set(node, new Map(edits.get(node)).set(index, fresh));
    }
    if ([...claims.values()].flat().length === all.length) initializers.delete(name);
  }
  if (edits.size === 0) return model;
  const nodes = graph.nodes.map((node) => {
    const newNames = edits.get(node);
    return newNames ? { ...node, inputs: node.inputs.map((name, index) => newNames.get(index) ?? name) } : node;
  });
  return { ...model, graph: { ...graph, nodes, initializers } };
}

/**
 * Uses by the parameter that they are, without those of the tensor's own name; empty where all uses are one parameter.
 */
function parameterClaims(
  uses: readonly InitializerUse[],
  own: string | undefined,
  prefix: PathPrefix,
  known: ReadonlySet<string> | undefined,
): ReadonlyMap<string, readonly InitializerUse[]> {
  const isTable = uses.some(({ node }) => node.op === "Gather");
  const claims = new Map<string, InitializerUse[]>();
  for (const use of uses) {
    const path = modulePathOf(use.node, prefix);
    const last = own?.slice(own.lastIndexOf(".") + 1);
    // A parameter under another name in its module (`in_proj_weight`) has that name in every use.
    const role = last === undefined || roleNames.has(last) ? (parameterRole(use) ?? last) : last;
    if (path === undefined || role === undefined) continue;
    const claim = `${path}.${role}`;
    // Whether a head that the base does not name is tied to the embedding is a property of the architecture.
    if (claim === own || (isTable && !known?.has(claim))) continue;
    const same = claims.get(claim);
    if (same) same.push(use);
    else claims.set(claim, [use]);
  }
  const isKnown = own !== undefined && (known === undefined || known.has(own));
  const isSplit = [...claims.values()].flat().length < uses.length || claims.size > 1;
  // One parameter under another name: only the base can confirm the module's name for it.
  const [only] = claims.keys();
  return isSplit || (own !== undefined && !isKnown && only !== undefined && known?.has(only)) ? claims : new Map();
}

function parameterRole({ node, inputIndex }: InitializerUse): string | undefined {
  if (isMatrixProduct(node)) return inputIndex === 1 ? "weight" : inputIndex === 2 ? "bias" : undefined;
  return node.domain === "" && Object.hasOwn(parameterRoles, node.op)
    ? parameterRoles[node.op]![inputIndex]
    : undefined;
}

const isMatrixOperand = ({ node, inputIndex }: InitializerUse): boolean => isMatrixProduct(node) && inputIndex === 1;
