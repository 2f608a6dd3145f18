import { interpret } from "../../ir/interpret.ts";
import type { ValueId } from "../../ir/module.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { undecidedInSingle } from "../accuracy/index.ts";
import { type LoadedModel, loadWithoutAdapter, type ResolvedOptions } from "../load/index.ts";
import { decodeModel, type OnnxModel, type OnnxNode, readTensor, scanLimits } from "../onnx/format/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import type { ReferenceRun } from "./reference-runs.ts";

/** What our import of a model's file answers: ONNX Runtime must answer the same, within rounding. */
export interface FileRuns {
  readonly file: string;
  /** Inputs of the file, those too that the options fix; outputs in float64. */
  readonly runs: readonly ReferenceRun[];
  /** The answers where every value is rounded to single precision. */
  readonly rounded: (run: ReferenceRun) => ReadonlyMap<string, Tensor>;
  /** How far decisions may move each element, where errors of so many roundings lead to them. */
  readonly undecided: (run: ReferenceRun, room: number) => ReadonlyMap<string, Float64Array>;
  /** How many times coarser than single precision the numbers of the file are. */
  readonly coarser: () => number;
  /** Whether the program has an adapter that is no part of the file. */
  readonly withoutAdapter: boolean;
}

/** The runs of the file itself: those of the program, unless it has an adapter beside the file. */
export function fileRuns(loaded: LoadedModel, options: ResolvedOptions, exact: readonly ReferenceRun[]): FileRuns {
  const alone = loadWithoutAdapter(options);
  const { imported, model } = alone ?? loaded;
  const fixed = fixedInputs(model);
  const { module, weights, sources } = imported;
  const givenOf = (inputs: ReferenceRun["inputs"]): ReadonlyMap<ValueId, Tensor> =>
    new Map([...imported.inputs].map(([name, id]) => [id, inputs.get(name)!.tensor]));
  const named = <T>(results: ReadonlyMap<ValueId, T>): ReadonlyMap<string, T> =>
    new Map(module.outputs.map((id) => [sources.get(id) ?? id, results.get(id)!]));
  const answers = (inputs: ReferenceRun["inputs"], float32: boolean): ReadonlyMap<string, Tensor> =>
    named(interpret(module, weights, givenOf(inputs), { float32 }));
  return {
    file: options.model,
    runs: exact.map(({ inputs, outputs }) => ({
      inputs: new Map([...fixed, ...inputs]),
      outputs: alone ? answers(inputs, false) : outputs,
    })),
    rounded: ({ inputs }) => answers(inputs, true),
    undecided: ({ inputs }, room) => named(undecidedInSingle(module, weights, givenOf(inputs), room)),
    // What was normalized away counts, so the file is read once more, where it matters.
    coarser: () => coarsenessOf(decodeModel(readWholeFile(options.model, scanLimits.bytes), options.model)),
    withoutAdapter: alone !== undefined,
  };
}

/** Inputs of the file that the compilation stores: those of --fix, an empty past, and the parameters of an adapter. */
const fixedInputs = (model: OnnxModel): ReadonlyMap<string, TypedTensor> =>
  new Map(
    model.graph.inputs.flatMap(({ name }) => {
      const stored = model.graph.initializers.get(name);
      return stored ? [[name, { dtype: stored.dtype, tensor: readTensor(model, stored) }] as const] : [];
    }),
  );

/** Significant bits of what a model computes with: single precision has 24, float16 11, bfloat16 and bytes 8. */
function coarsenessOf({ graph }: OnnxModel): number {
  const types = new Set([...graph.initializers.values(), ...graph.inputs, ...graph.outputs].map(({ dtype }) => dtype));
  if (types.has("bfloat16") || graph.nodes.some(roundsToBytes)) return 2 ** 16;
  return types.has("float16") ? 2 ** 13 : 1;
}

/** Whether ONNX Runtime computes the node with activations of eight bits. */
function roundsToBytes({ op, attributes }: OnnxNode): boolean {
  const level = attributes.get("accuracy_level");
  return /Quantize|^QLinear|Integer$/.test(op) || (level?.kind === "int" && level.value === 4);
}
