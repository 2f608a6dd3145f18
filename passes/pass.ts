import { DiagnosticError, fail } from "../ir/diagnostic.ts";
import { type Module, type Stage, stages, type ValueId } from "../ir/module.ts";
import type { WeightStore } from "../ir/tensor.ts";
import { verify } from "../ir/verify.ts";

/** What passes hand on: a module, and the store that its params name. */
export interface PassState {
  readonly module: Module;
  readonly weights: WeightStore;
}

/** An input of the secure module that the client computes in the clear from public weights and its own inputs. */
export interface ClientCut {
  /** The input of the secure module. */
  readonly value: ValueId;
  /** ONNX tensor that carries it. */
  readonly source: string;
  /** The input is one-hot(tensor) of this depth: the tensor holds indices into a table of the server's. */
  readonly oneHot?: number;
  /** The input holds indices into a table of so many rows, from which rows are looked up privately. */
  readonly rows?: number;
  /** The input is max(tensor, least): the tensor is a mask, and −∞ has no ring. */
  readonly least?: number;
}

/** Something that the client computes in the clear after the secure part, from what was revealed to it. */
export interface ClientTail {
  /** Output of the secure module, and the ONNX tensor that it is. */
  readonly value: ValueId;
  readonly source: string;
  /** ONNX tensor that the client computes from it. */
  readonly output: string;
}

/** The client's part, by the names of ONNX tensors: from them the compiler cuts public.onnx out of the model. */
export interface ClientPart {
  /** Inputs of the model that it reads. */
  readonly inputs: readonly string[];
  readonly cuts: readonly ClientCut[];
  /** Outputs of the model that need no secure computation at all. */
  readonly outputs: readonly string[];
  readonly tails: readonly ClientTail[];
}

/** From 1-split on: `module` is the secure part, `client` says what happens around it. */
export interface SplitState extends PassState {
  readonly client: ClientPart;
  /** ONNX tensor of a value, for the values that have one. */
  readonly sources: ReadonlyMap<ValueId, string>;
}

/** A pass is a function from state to state, and a promise that `runPass` holds it to. */
export interface Pass<In extends PassState = PassState, Out extends PassState = In> {
  readonly name: string;
  /** Earliest stage that the module must have reached. */
  readonly requires: Stage;
  readonly ensures: Stage;
  readonly run: (state: In) => Out;
}

const stageIndex = (stage: Stage): number => stages.indexOf(stage);

export function runPass<In extends PassState, Out extends PassState>(pass: Pass<In, Out>, state: In): Out {
  const { stage, name } = state.module;
  if (stageIndex(stage) < stageIndex(pass.requires) || stageIndex(stage) >= stageIndex(pass.ensures)) {
    fail({
      code: "MRL0320",
      message: `pass ${pass.name} works on modules from stage ${pass.requires} and before ${pass.ensures}, found ${stage}`,
      at: `module ${name}`,
    });
  }
  const done = pass.run(state);
  const found = done.module.stage;
  if (found !== pass.ensures) throw new Error(`pass ${pass.name} promised stage ${pass.ensures}, made ${found}`);
  const broken = problemsOf(done);
  if (broken.length > 0) throw new DiagnosticError(broken);
  return done;
}

/** What is wrong with a module and its weights together. */
function problemsOf({ module, weights }: PassState) {
  const missing = Object.entries(module.params).filter(([, weight]) => !weights.has(weight));
  return [
    ...verify(module),
    ...missing.map(([id, weight]) => ({
      code: "MRL0321",
      message: `%${id} names weight "${weight}", which the store lacks`,
    })),
  ];
}
