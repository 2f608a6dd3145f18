import { DiagnosticError } from "../../ir/diagnostic.ts";
import { locationOf } from "../../ir/infer.ts";
import { interpret } from "../../ir/interpret.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import { type Departure, watchDepartures } from "../../passes/4-quantize/index.ts";
import type { IntTensor } from "../../runtime/ring/index.ts";
import { loadPartyBuild, type PartyBuild } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import type { ClientOptions, PreparedQuery } from "./client-executor.ts";
import { loadMir } from "./load-mir.ts";
import { openOwnParts } from "./own-parts.ts";
import { type ClampedValues, dequantizeOutput } from "./quantize-inputs.ts";
import { revealedToServer } from "./server-executor.ts";
import { refuseUntrusted } from "./untrusted-answer.ts";

/** What each reader would learn. */
export interface PlainOutputs {
  readonly outputs: ReadonlyMap<string, TypedTensor>;
  /** Outputs revealed to the server. */
  readonly serverOutputs: ReadonlyMap<string, TypedTensor>;
  /** Outputs that stay shared, so that nobody would learn them. */
  readonly kept: ReadonlyMap<string, TypedTensor>;
  readonly clamped: ClampedValues;
}

export interface PlainOptions extends ClientOptions {
  /** Refuses an answer if a value on the way leaves its public bounds: three parties would give noise in its place. */
  readonly guard?: boolean;
  /** The adapter that the server uses, by name. */
  readonly adapter?: string;
}

/** The fixed-point program of a build, in the interpreter. */
export interface PlainProgram {
  readonly module: Module;
  readonly weights: WeightStore;
  /** What the parties share for these inputs, in real numbers, by input of the module. */
  readonly shared: (inputs: ReadonlyMap<string, TypedTensor>) => Promise<ReadonlyMap<ValueId, Tensor>>;
  /**
   * @throws DiagnosticError for inputs that the client refuses, for a value that leaves its ring, and by the guard
   */
  readonly run: (inputs: ReadonlyMap<string, TypedTensor>) => Promise<PlainOutputs>;
  /** Values that leave their public bounds on these inputs; after one that leaves its ring there are no more. */
  readonly departures: (inputs: ReadonlyMap<string, TypedTensor>) => Promise<readonly Departure[]>;
  readonly release: () => Promise<void>;
}

/** Results of the interpreter, or why it stopped, and what left its bounds until then. */
interface Interpreted {
  readonly results: ReadonlyMap<ValueId, Tensor>;
  readonly failure?: DiagnosticError;
  readonly departures: readonly Departure[];
}

/**
 * Opens the fixed-point program of a build for the interpreter of the IR, without parties or shares. The parties'
 * results differ from its results by the declared errors of their protocols only, while no value leaves its bounds.
 */
export async function openPlain(
  dir: string,
  { guard = false, adapter, ...options }: PlainOptions = {},
): Promise<PlainProgram> {
  const { module, weights } = await loadPlain(dir, adapter);
  const { client, prepare, finish, release } = await openOwnParts(dir, options);
  const realValues = ({ shared }: PreparedQuery): ReadonlyMap<ValueId, Tensor> =>
    new Map(
      Object.entries(shared).map(([id, integers]) => [
        id,
        dequantizeOutput(integers, client.program.inputs[id]!.scale),
      ]),
    );
  const interpreted = (prepared: PreparedQuery): Interpreted => {
    const { observe, found } = watchDepartures(module);
    try {
      return { results: interpret(module, weights, realValues(prepared), { observe }), departures: found };
    } catch (failure) {
      const beyond = failure instanceof DiagnosticError ? leftRing(failure, module) : undefined;
      if (!beyond) throw failure;
      return { results: new Map(), failure: failure as DiagnosticError, departures: [...found, beyond] };
    }
  };
  return {
    module,
    weights,
    shared: async (inputs) => realValues(await prepare(inputs)),
    run: async (inputs) => {
      const prepared = await prepare(inputs);
      const { results, failure, departures } = interpreted(prepared);
      if (guard) refuseUntrusted(departures);
      if (failure) throw failure;
      const revealed = [...results].map(([id, { shape, data }]) => {
        const scale = client.program.outputs[id]!.scale;
        return [id, { kind: "int", shape, data: data.map((x) => Math.round(x * 2 ** scale)) }] as const;
      });
      const opened = new Map(revealed);
      return {
        outputs: await finish(prepared, opened),
        serverOutputs: revealedToServer(client, opened),
        kept: keptInPlain(client, opened),
        clamped: prepared.clamped,
      };
    },
    departures: async (inputs) => interpreted(await prepare(inputs)).departures,
    release,
  };
}

const keptInPlain = (
  { manifest: { sharedOutputs = [] } }: PartyBuild,
  opened: ReadonlyMap<string, IntTensor>,
): ReadonlyMap<string, TypedTensor> =>
  new Map(
    sharedOutputs.map(({ value, tensor, scale }) => [
      tensor,
      { dtype: "float32", tensor: dequantizeOutput(opened.get(value)!, scale) },
    ]),
  );

/** The value at which the interpreter stopped because it leaves its ring. */
function leftRing({ diagnostics: [first] }: DiagnosticError, module: Module): Departure | undefined {
  if (first?.code !== "MRL0390") return undefined;
  const op = opsOf(module).find((each) => locationOf(each) === first.at);
  const value = op && module.values[op.result];
  if (!op || !value?.range) return undefined;
  const found = Number(/found (\S+)$/.exec(first.message)?.[1] ?? Number.NaN);
  return { value: op.result, at: op.origin || `%${op.result}`, what: "values", bounds: value.range, found };
}

/** Opens, runs once and closes. */
export async function runPlain(
  dir: string,
  inputs: ReadonlyMap<string, TypedTensor>,
  options: PlainOptions = {},
): Promise<PlainOutputs> {
  const plain = await openPlain(dir, options);
  try {
    return await plain.run(inputs);
  } finally {
    await plain.release();
  }
}

/** Loads the fixed-point program of a build and its weights, for the interpreter. */
export async function loadPlain(
  dir: string,
  adapter?: string,
): Promise<{ readonly module: Module; readonly weights: WeightStore }> {
  const server = await loadPartyBuild(dir, "server", adapter);
  const module = renameToOwn(await loadMir(server.mir, { file: "program.mir" }));
  const weights = new Map<string, Tensor>();
  for (const id of Object.keys(module.params)) {
    const decl = server.program.weights[id];
    const held = decl && server.tensors.get(decl.tensor);
    if (held?.data) weights.set(id, dequantizeOutput(held, decl!.scale));
  }
  return { module, weights };
}

/** Several parameters may use one tensor of the model at several scales: each then has its own integers. */
const renameToOwn = (module: Module): Module => ({
  ...module,
  params: Object.fromEntries(Object.keys(module.params).map((id) => [id, id])),
});
