import { DiagnosticError, fail } from "../ir/diagnostic.ts";
import { type Module, type Stage, stages, type ValueId } from "../ir/module.ts";
import type { WeightStore } from "../ir/tensor.ts";
import { verify } from "../ir/verify.ts";

/** The state that passes transform: a module, and the store of the weights that its params name. */
export interface PassState {
  readonly module: Module;
  readonly weights: WeightStore;
}

/**
 * An input of the secure module that a party computes in the clear from what it knows: the client from public weights
 * and its own inputs, the server from all weights and its own inputs.
 */
export interface ClientCut {
  /** The input of the secure module. */
  readonly value: ValueId;
  /** ONNX tensor that carries it. */
  readonly source: string;
  /** The input is one-hot(tensor) of this depth: the tensor holds indices into a private table. */
  readonly oneHot?: number;
  /** The input holds indices into a table of this many rows, for a private lookup. */
  readonly rows?: number;
  /** The input is max(tensor, least): the tensor is a mask, and −∞ has no ring. */
  readonly least?: number;
  /** The input is these functions of each element of the tensor, one after the other: operators of ir/ops. */
  readonly functions?: readonly string[];
}

/** The server's own part, by the names of ONNX tensors: what it computes in the clear from its own inputs and shares. */
export interface ServerPart {
  /** Inputs of the model that it reads. */
  readonly inputs: readonly string[];
  readonly cuts: readonly ClientCut[];
}

/** A computation of the client in the clear after the secure part, from a revealed value. */
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
  /** Absent where the server has no inputs. */
  readonly server?: ServerPart;
  /** Inputs that arrive as shares, if there are any: each party holds a residue. */
  readonly taken?: readonly ClientCut[];
  /** ONNX tensor of a value, for the values that have one. */
  readonly sources: ReadonlyMap<ValueId, string>;
  /** From 5-select on, if range checks were asked for. */
  readonly guard?: GuardFacts;
}

/** The range checks of a program, and the one bit that the client learns of them. */
export interface GuardFacts {
  /** The output with the bit: 1 if any guarded value left its bounds. */
  readonly value: ValueId;
  /** A value up to 2^headroom times its bounds is told for certain. */
  readonly headroom: number;
  /** Number of elements that are checked. */
  readonly elements: number;
  /** Nodes of the model, or values without one. */
  readonly layers: readonly string[];
}

/** The inputs of the secure module, of either party or of both. */
export const cutsOf = ({
  client,
  server,
  taken,
}: Pick<SplitState, "client" | "server" | "taken">): readonly ClientCut[] => [
  ...client.cuts,
  ...(server?.cuts ?? []),
  ...(taken ?? []),
];

/** The state with other cuts. */
export const withCuts = <S extends Pick<SplitState, "client" | "server" | "taken">>(
  state: S,
  change: (cuts: readonly ClientCut[]) => readonly ClientCut[],
): S => ({
  ...state,
  client: { ...state.client, cuts: change(state.client.cuts) },
  ...(state.server && { server: { ...state.server, cuts: change(state.server.cuts) } }),
  ...(state.taken && { taken: change(state.taken) }),
});

/** A pass is a function from state to state, with a stage that it promises and `runPass` verifies. */
export interface Pass<In extends PassState = PassState, Out extends PassState = In> {
  readonly name: string;
  /** Earliest stage that the module must have reached. */
  readonly requires: Stage;
  readonly ensures: Stage;
  readonly run: (state: In) => Out;
}

const stageIndex = (stage: Stage): number => stages.indexOf(stage);

/** Runs a pass and verifies its result. Throws MRL0320, MRL0321 and the diagnostics of ir/verify.ts. */
export function runPass<In extends PassState, Out extends PassState>(pass: Pass<In, Out>, state: In): Out {
  const { stage, name } = state.module;
  if (stageIndex(stage) < stageIndex(pass.requires) || stageIndex(stage) >= stageIndex(pass.ensures)) {
    fail({
      code: "MRL0320",
      message: `pass ${pass.name}: expected a module of stage ${pass.requires} or later, before ${pass.ensures}, found ${stage}`,
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

/** The problems of a module together with its weights. */
function problemsOf({ module, weights }: PassState) {
  const missing = Object.entries(module.params).filter(([, weight]) => !weights.has(weight));
  return [
    ...verify(module),
    ...missing.map(([id, weight]) => ({
      code: "MRL0321",
      message: `%${id}: expected weight "${weight}" in the store, found none`,
    })),
  ];
}
