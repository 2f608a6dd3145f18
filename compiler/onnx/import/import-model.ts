import { type Diagnostic, throwIfAny } from "../../../ir/diagnostic.ts";
import { edit, removeDead, renameValue } from "../../../ir/edit.ts";
import { infer } from "../../../ir/infer.ts";
import type { Label } from "../../../ir/label.ts";
import type { Module, ValueId } from "../../../ir/module.ts";
import { namePattern } from "../../../ir/names.ts";
import type { Tensor } from "../../../ir/tensor.ts";
import { type Shape, sizeOf } from "../../../ir/type.ts";
import type { OnnxModel, OnnxNode, OnnxValueInfo } from "../format/index.ts";
import { bindDims, lowerSequences } from "../normalize/index.ts";
import {
  catalogWeights,
  elementOfDtype,
  innerGraphNames,
  type WeightCatalog,
  type WeightOwners,
} from "../weights/index.ts";
import { type FoldedLoraScale, type FusedModule, foldLoraScale, fuseOperators } from "./fuse/index.ts";
import {
  checkShape,
  createFoldMeter,
  createImportContext,
  displayName,
  type GraphOperand,
  type ImportContext,
  type StoredWeight,
} from "./graph/index.ts";
import {
  liveNodes,
  lowerNodes,
  maxInnerNodes,
  storedOperand,
  uncomputedOutput,
  unknownOperators,
} from "./lower-nodes.ts";
import { placeholderValues } from "./placeholder-values.ts";

export interface ImportOptions {
  /** Sizes of symbolic dimensions. */
  readonly dims?: ReadonlyMap<string, number>;
  /** Owner of an input; default: the client. */
  readonly inputs?: ReadonlyMap<string, Label>;
  /** Owner of each weight; without it all weights are public. */
  readonly ownership?: WeightOwners;
  /** Whether to fuse norms, activations, attention and the like; default: true. */
  readonly fuse?: boolean;
}

/** A product with a stored matrix, to which an adapter attaches. */
export interface ImportedLinear {
  readonly module: string;
  readonly origin: string;
  /** Name of the matrix in the weight store. */
  readonly weight: string;
}

export interface ImportedModel {
  readonly module: Module;
  /** The tensors that the module's parameters name. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** ONNX tensor of a value, where it is one. */
  readonly sources: ReadonlyMap<ValueId, string>;
  /** Values of the graph's inputs and outputs by their ONNX names. */
  readonly inputs: ReadonlyMap<string, ValueId>;
  readonly outputs: ReadonlyMap<string, ValueId>;
  /** Weight behind each stored tensor; constants have none. */
  readonly storedWeights: ReadonlyMap<string, StoredWeight>;
  readonly linears: readonly ImportedLinear[];
  /** Weights that the ONNX file does not have: an attached adapter's. */
  readonly attached?: ReadonlySet<string>;
  readonly catalog: WeightCatalog;
  /** How often each fusion was applied. */
  readonly fusions: ReadonlyMap<string, number>;
}

/**
 * Imports an ONNX graph as a module of the first stage: shapes known, constants folded, patterns fused. Reports all
 * blockers in one DiagnosticError (MRL0405 to MRL0407, MRL0410, MRL0425, MRL0431, and those of nodes).
 */
export function importModel(model: OnnxModel, options: ImportOptions = {}): ImportedModel {
  const { graph } = model;
  const catalog = options.ownership?.catalog ?? catalogWeights(model);
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  // The sizes of bound inputs count as used too.
  const sized = graph.inputs.filter(({ name, dims }) => !graph.initializers.has(name) || dims?.some(isOpenDim));
  const { shapes, problems: dimProblems } = bindDims(model, sized, options.dims ?? new Map());
  const nodes = liveNodes(lowerSequences(model));
  const inputProblems = [...dimProblems, ...invalidInputs(model, inputs, options)];
  const unknown = unknownOperators(model, nodes);
  if (inputProblems.length > 0) throwIfAny([...inputProblems, ...unknown]);
  throwIfAny(invalidInputShapes(model, shapes));

  const labels = options.ownership?.labels;
  const integerProblems = refusePrivateIntegers(model, nodes, catalog, options.ownership);
  const stored = [...graph.initializers.values()].reduce((sum, { dims }) => sum + sizeOf(dims), 0);
  const labelOf = (weight: string): Label => labels?.get(weight) ?? "public";
  const into = createImportContext(displayName(graph.name) || "model", labelOf, createFoldMeter(stored));
  const given = new Map<string, GraphOperand>();
  const inputIds = new Map<string, ValueId>();
  for (const input of inputs) {
    const element = elementOfDtype(input.dtype!);
    const type = { label: options.inputs?.get(input.name) ?? "client", element, shape: shapes.get(input.name)! };
    const operand = into.input(displayName(input.name), type);
    const id = into.idOf(operand);
    into.sources.set(id, input.name);
    inputIds.set(input.name, id);
    given.set(input.name, operand);
  }
  for (const source of graph.initializers.values()) given.set(source.name, storedOperand(catalog, source.name));
  // After an unsupported operator all others are still visited, up to those that need its result.
  const known = unknown.length > 0 ? nodes.filter((node) => unknownOperators(model, [node]).length === 0) : nodes;
  const taken = new Set(known);
  for (const node of nodes.filter((each) => !taken.has(each))) {
    for (const [name, operand] of placeholderValues(model, node, given, into)) given.set(name, operand);
  }
  const { values, problems } = lowerNodes({ model, catalog, into, budget: { left: maxInnerNodes } }, known, given);
  throwIfAny([...unknown, ...integerProblems, ...problems]);
  return finishImport(model, catalog, values, into, inputIds, options);
}

/** Integers that are indices or enter arithmetic are not held as shares: their owner has to make them public. */
function refusePrivateIntegers(
  { file, graph }: OnnxModel,
  nodes: readonly OnnxNode[],
  { weights, ownedIntegers }: WeightCatalog,
  ownership: WeightOwners | undefined,
): readonly Diagnostic[] {
  const read = new Set([
    ...graph.outputs.map(({ name }) => name),
    ...nodes.flatMap((node) => [...node.inputs, ...innerGraphNames(node)]),
  ]);
  return [...ownedIntegers].flatMap((source): Diagnostic[] => {
    const { name } = weights.get(source)!;
    if (ownership?.labels.get(name) !== "server" || !read.has(source)) return [];
    const pattern = ownership.patterns?.get(name);
    const cause = pattern === undefined ? "" : `, by --private ${pattern}`;
    const message = `"${name}" is a private table of integers${cause}, which are indices or are computed with in the clear`;
    const help = `if it is not secret, add --public '${name}', or a --base that has it; else store its values as real numbers`;
    return [{ code: "MRL0431", message, at: file, help }];
  });
}

const isOpenDim = (dim: number | string | undefined): boolean => typeof dim !== "number";

function invalidInputShapes({ file }: OnnxModel, shapes: ReadonlyMap<string, readonly number[]>): Diagnostic[] {
  return [...shapes].flatMap(([name, shape]) => {
    try {
      checkShape(shape);
      return [];
    } catch (error) {
      return [{ code: "MRL0407", message: `input "${name}": ${(error as Error).message}`, at: file }];
    }
  });
}

function invalidInputs(model: OnnxModel, inputs: readonly OnnxValueInfo[], options: ImportOptions): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const { name, dtype, kind } of inputs) {
    if (kind === "tensor" && dtype) continue;
    const message = `input "${name}" is not a tensor of a supported type`;
    found.push({ code: "MRL0405", message, at: model.file });
  }
  const names = inputs.map(({ name }) => name);
  for (const name of options.inputs?.keys() ?? []) {
    if (names.includes(name)) continue;
    const help = `inputs: ${names.join(", ")}`;
    found.push({ code: "MRL0406", message: `the model has no input "${name}"`, at: model.file, help });
  }
  return found;
}

const operandShape = (operand: GraphOperand): Shape =>
  operand.kind === "value" ? operand.type.shape : operand.tensor.shape;

function finishImport(
  model: OnnxModel,
  catalog: WeightCatalog,
  values: ReadonlyMap<string, GraphOperand>,
  into: ImportContext,
  inputs: ReadonlyMap<string, ValueId>,
  options: ImportOptions,
): ImportedModel {
  const outputIds = new Map<string, ValueId>();
  const problems: Diagnostic[] = [];
  for (const { name } of model.graph.outputs) {
    const operand = values.get(name);
    if (!operand) {
      problems.push(uncomputedOutput(model, name));
      continue;
    }
    if (sizeOf(operandShape(operand)) === 0 && [...(options.dims ?? [])].some(([, size]) => size === 0)) {
      const message = `the output "${name}" is empty with these sizes: [${operandShape(operand).join(", ")}]`;
      const empty = [...(options.dims ?? [])].flatMap(([dim, size]) => (size === 0 ? [`--dim ${dim}=1`] : []));
      const help = `give sizes of at least 1, as ${empty.join(" ")}: only a past may be empty`;
      problems.push({ code: "MRL0410", message, at: model.file, help });
      continue;
    }
    const id = into.idOf(operand);
    into.builder.output(id);
    outputIds.set(name, id);
  }
  throwIfAny(problems);
  const { module: named, outputs } = nameOutputs(removeDead(into.builder.finish()), outputIds, into);
  const { module, weights, fusions }: FusedModule =
    options.fuse === false
      ? { module: named, weights: into.weights, fusions: new Map<string, number>() }
      : fuseOperators(named, into.weights);
  const folded: FoldedLoraScale =
    options.fuse === false
      ? { module, weights, storedWeights: into.storedWeights }
      : foldLoraScale(module, weights, into.storedWeights);
  const inferred = infer(folded.module);
  const used = new Set(Object.values(inferred.params));
  throwIfAny(idlePatterns(model, used, folded.storedWeights, options.ownership?.patterns));
  const origins = new Map(catalog.names.linears.map((linear) => [linear.node.name, linear]));
  const keyOfWeight = new Map([...into.storedWeights].map(([key, { weight }]) => [weight, key]));
  const linears = [...origins.values()].flatMap(({ node, module: path, weight }) => {
    const name = catalog.weights.get(weight)?.name;
    const key = name === undefined ? undefined : keyOfWeight.get(name);
    return path && key && used.has(key) ? [{ module: path, origin: node.name, weight: key }] : [];
  });
  return {
    module: inferred,
    weights: new Map([...folded.weights].filter(([key]) => used.has(key))),
    sources: new Map([...into.sources].filter(([id]) => Object.hasOwn(inferred.values, id))),
    inputs,
    outputs,
    storedWeights: new Map([...folded.storedWeights].filter(([key]) => used.has(key))),
    linears,
    catalog,
    fusions,
  };
}

/**
 * A pattern that names only tensors that no output depends on is a mistake: what it should have named would be public.
 * One that names others too means those: files hold constants whose shape alone is read, and weights of dead branches.
 */
function idlePatterns(
  model: OnnxModel,
  used: ReadonlySet<string>,
  stored: ReadonlyMap<string, StoredWeight>,
  patterns: ReadonlyMap<string, string> = new Map(),
): Diagnostic[] {
  const reached = new Set([...stored].filter(([key]) => used.has(key)).map(([, { weight }]) => weight));
  return [...new Set(patterns.values())].flatMap((pattern): Diagnostic[] => {
    const lost = [...patterns].filter((entry) => entry[1] === pattern).map(([name]) => name);
    if (lost.some((name) => reached.has(name))) return [];
    const shown = `${lost.slice(0, 8).join(", ")}${lost.length > 8 ? `, … (${lost.length})` : ""}`;
    return [
      {
        code: "MRL0425",
        message: `no output depends on what --private ${pattern} names: ${shown}`,
        at: model.file,
        help: "leave out this --private, or name the weights that the outputs of --reveal are computed from",
      },
    ];
  });
}

interface NamedOutputs {
  readonly module: Module;
  readonly outputs: ReadonlyMap<string, ValueId>;
}

/** An output that is another value under a second name gets its own name where that is free. */
function nameOutputs(module: Module, ids: ReadonlyMap<string, ValueId>, into: ImportContext): NamedOutputs {
  const fixed = new Set([...module.inputs, ...Object.keys(module.params)]);
  const outputs = new Map(ids);
  const named = edit(module, (draft) => {
    for (const [name, id] of ids) {
      const wanted = displayName(name);
      const shared = [...outputs.values()].filter((other) => other === id).length > 1;
      const free = namePattern.test(wanted) && !(wanted in draft.values);
      if (id === wanted || fixed.has(id) || shared || !free) continue;
      renameValue(draft, id, wanted);
      outputs.set(name, wanted);
      into.sources.set(wanted, name);
    }
  });
  return { module: named, outputs };
}
