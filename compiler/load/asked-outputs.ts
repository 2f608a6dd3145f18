import type { Reveal } from "../../passes/1-split/reveals.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { displayName } from "../onnx/import/graph/index.ts";
import { liveNodes } from "../onnx/import/index.ts";
import { innerNames } from "../onnx/weights/index.ts";
import { matches } from "../ownership/index.ts";

/** What is computed of a model once it is said who reads its outputs. */
export interface Asked {
  readonly model: OnnxModel;
  /** With the names of outputs in the place of patterns. */
  readonly reveal: readonly Reveal[];
  /** Outputs of the file that nobody asked for: they are not computed. */
  readonly left: readonly string[];
}

/**
 * The outputs that `reveal` names, and what leads to them; without any, or where a name fits nothing, the whole model: what
 * is wrong then is told of all outputs. A decoder has two outputs of its cache for each layer, which few want to have.
 */
export function askedOutputs(model: OnnxModel, reveal: readonly Reveal[] = []): Asked {
  const names = model.graph.outputs.map(({ name }) => name);
  const fitting = ({ output }: Reveal): readonly string[] => {
    const own = names.filter((name) => name === output || displayName(name) === output);
    return own.length > 0 || !output.includes("*") ? own : names.filter((name) => matches(output, name));
  };
  const found = reveal.map((each) => ({ each, fits: fitting(each) }));
  const named = found.flatMap(({ each, fits }) =>
    fits.length > 0 ? fits.map((output) => ({ ...each, output })) : each,
  );
  const asked = new Set(named.map(({ output }) => output));
  if (found.length === 0 || found.some(({ fits }) => fits.length === 0)) return { model, reveal: named, left: [] };
  const left = names.filter((name) => !asked.has(name));
  return { model: left.length > 0 ? withOutputs(model, asked) : model, reveal: named, left };
}

/** Without the nodes that lead to other outputs alone, and without the tensors that only those read. */
function withOutputs(model: OnnxModel, asked: ReadonlySet<string>): OnnxModel {
  const { graph } = model;
  const outputs = graph.outputs.filter(({ name }) => asked.has(name));
  const live = liveNodes({ ...graph, outputs });
  const read = new Set([...asked, ...live.flatMap((node) => [...node.inputs, ...innerNames(node)])]);
  // A node that makes an output beside what is read does not make it any more.
  const gone = new Set(graph.outputs.map(({ name }) => name).filter((name) => !read.has(name)));
  const nodes = live.map((node) => ({
    ...node,
    outputs: node.outputs.map((name) => (gone.has(name) ? "" : name)),
  }));
  const dropped = new Set(liveNodes(graph).flatMap((node) => [...node.inputs, ...innerNames(node)]));
  const initializers = new Map([...graph.initializers].filter(([name]) => read.has(name) || !dropped.has(name)));
  return { ...model, graph: { ...graph, nodes, outputs, initializers } };
}
