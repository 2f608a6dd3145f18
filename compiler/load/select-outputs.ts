import type { Reveal } from "../../passes/1-split/index.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { displayName } from "../onnx/import/graph/index.ts";
import { liveNodes } from "../onnx/import/index.ts";
import { innerGraphNames } from "../onnx/weights/index.ts";
import { matchesPattern } from "../ownership/index.ts";

/** The outputs to compute, once their readers are known. */
export interface SelectedOutputs {
  readonly model: OnnxModel;
  /** With patterns expanded to output names. */
  readonly reveal: readonly Reveal[];
  /** Outputs of the file that the user did not request: they are not computed. */
  readonly omittedOutputs: readonly string[];
}

/**
 * Selects the outputs that `reveal` names, and what they depend on. Without `reveal`, or where a name matches nothing,
 * selects the whole model, so that errors cover all outputs. A decoder has two cache outputs for each layer, which are
 * rarely requested.
 */
export function selectOutputs(model: OnnxModel, reveal: readonly Reveal[] = []): SelectedOutputs {
  const names = model.graph.outputs.map(({ name }) => name);
  const matchingOutputs = ({ output }: Reveal): readonly string[] => {
    const own = names.filter((name) => name === output || displayName(name) === output);
    return own.length > 0 || !output.includes("*") ? own : names.filter((name) => matchesPattern(output, name));
  };
  const found = reveal.map((each) => ({ each, fits: matchingOutputs(each) }));
  const named = found.flatMap(({ each, fits }) =>
    fits.length > 0 ? fits.map((output) => ({ ...each, output })) : each,
  );
  const selected = new Set(named.map(({ output }) => output));
  if (found.length === 0 || found.some(({ fits }) => fits.length === 0))
    return { model, reveal: named, omittedOutputs: [] };
  const left = names.filter((name) => !selected.has(name));
  return { model: left.length > 0 ? keepOutputs(model, selected) : model, reveal: named, omittedOutputs: left };
}

/** Removes nodes that lead to other outputs alone, and tensors that only those read. */
function keepOutputs(model: OnnxModel, selected: ReadonlySet<string>): OnnxModel {
  const { graph } = model;
  const outputs = graph.outputs.filter(({ name }) => selected.has(name));
  const live = liveNodes({ ...graph, outputs });
  const read = new Set([...selected, ...live.flatMap((node) => [...node.inputs, ...innerGraphNames(node)])]);
  // A node with both used and unused outputs loses the unused ones.
  const gone = new Set(graph.outputs.map(({ name }) => name).filter((name) => !read.has(name)));
  const nodes = live.map((node) => ({
    ...node,
    outputs: node.outputs.map((name) => (gone.has(name) ? "" : name)),
  }));
  const dropped = new Set(liveNodes(graph).flatMap((node) => [...node.inputs, ...innerGraphNames(node)]));
  const initializers = new Map([...graph.initializers].filter(([name]) => read.has(name) || !dropped.has(name)));
  return { ...model, graph: { ...graph, nodes, outputs, initializers } };
}
