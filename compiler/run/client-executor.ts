import type { IntTensor } from "../../runtime/ring/index.ts";
import { prefillStart, type QueryPosition } from "../../runtime/session/index.ts";
import type { PartyBuild } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type ClientLayers, type NamedTensors, type PositionAxes, slicePositions } from "./client-layers.ts";
import { openCachedLayers } from "./client-layers-cached.ts";
import { openFullContextLayers } from "./client-layers-full-context.ts";
import { dequantizeOutput, quantizeInputs } from "./quantize-inputs.ts";

/** What the client computes alone, around the secure part. */
export interface ClientExecutor {
  /** Runs its own layers and makes integers of the cut tensors: of the whole window, or of the place that is asked about. */
  readonly prepare: (inputs: NamedTensors, asked?: QueryPosition) => Promise<PreparedQuery>;
  /** Goes on from what was revealed: the outputs of the model, by name; of the place alone, where one was asked about. */
  readonly finish: (prepared: PreparedQuery, revealed: ReadonlyMap<string, IntTensor>) => Promise<NamedTensors>;
  /** What its own layers have taken so far. */
  readonly seconds: () => number;
  readonly release: () => Promise<void>;
}

export interface PreparedQuery {
  readonly position: QueryPosition;
  readonly shared: Readonly<Record<string, IntTensor>>;
  /** Outputs that need no secure computation. */
  readonly outputs: NamedTensors;
}

export async function openClientExecutor({
  dir,
  manifest,
  program,
  decode,
  buckets,
}: PartyBuild): Promise<ClientExecutor> {
  const intermediate = new Set(manifest.tails.map(({ from }) => from));
  const decodeProgram = decode && manifest.decode ? { ...manifest.decode, program: decode } : undefined;
  const bucketPrograms = buckets.map((each, k) => ({ ...decodeProgram!.windows![k]!, program: each }));
  const prefillProgram = { ...manifest, program };
  const contextLength = decodeProgram?.places ?? 1;
  const clear = decodeProgram?.clear;
  const [window, rows] = [
    lazy(() => openFullContextLayers(dir, contextLength)),
    lazy(() => openCachedLayers(dir, clear!)),
  ];
  /** A session in which places are kept needs no layers over the window, and any other no rows: neither is read in vain. */
  const layersFor = ({ program: index, position: place }: QueryPosition): Promise<ClientLayers> =>
    clear && (index > 0 || place > 0) ? rows.get() : window.get();
  /** What the manifest says of the program that is asked for, and which rows of the window it has. */
  const programAt = ({ program: index, position: place }: QueryPosition) => {
    if (decodeProgram && index === 1) return { ...decodeProgram, rows: [place, place + 1] as const, keep: place + 1 };
    const some = index > 1 ? bucketPrograms[index - 2]! : undefined;
    return { ...(some ?? prefillProgram), rows: [0, some?.places ?? contextLength] as const, keep: place };
  };
  const axesOf = (entries: readonly object[]): PositionAxes =>
    new Map(
      (entries as readonly { readonly tensor: string; readonly axis?: number }[]).map(({ tensor, axis = 1 }) => [
        tensor,
        axis,
      ]),
    );
  let seconds = 0;
  const timed = async (work: () => Promise<NamedTensors>): Promise<NamedTensors> => {
    const started = performance.now();
    const made = await work();
    seconds += (performance.now() - started) / 1000;
    return made;
  };
  return {
    prepare: async (inputs, position = prefillStart) => {
      const { cuts, program: current, rows: wanted, keep } = programAt(position);
      const axes = axesOf(cuts);
      const layers = await layersFor(position);
      const computed = await timed(() => layers.runBefore(inputs, wanted, keep, axes));
      /** A cut may be an input of the model as it is. */
      const given = (name: string): TypedTensor =>
        position.program === 0 ? inputs.get(name)! : slicePositions(inputs.get(name)!, axes.get(name)!, wanted);
      const found = new Map(cuts.map(({ tensor }) => [tensor, (computed.get(tensor) ?? given(tensor)).tensor]));
      const outputs = manifest.clientOutputs.map((name): [string, TypedTensor] => [name, computed.get(name)!]);
      return { position, shared: quantizeInputs({ cuts }, current, found), outputs: new Map(outputs) };
    },
    finish: async (prepared, revealed) => {
      const { reveals, program: current, rows: wanted } = programAt(prepared.position);
      const opened = new Map<string, TypedTensor>();
      for (const { value, tensor, to } of reveals) {
        const found = revealed.get(value);
        if (to !== "client" || !found) continue;
        const real = dequantizeOutput(found, current.outputs[value]!.scale);
        opened.set(tensor, { dtype: "float32", tensor: real });
      }
      const intermediateValues = new Map([...opened].filter(([tensor]) => intermediate.has(tensor)));
      const layers = await layersFor(prepared.position);
      const computed: NamedTensors =
        intermediateValues.size > 0
          ? await timed(() => layers.runAfter(intermediateValues, wanted, axesOf(reveals)))
          : new Map();
      const direct = [...opened].filter(([tensor]) => !intermediate.has(tensor));
      return new Map([...direct, ...computed, ...prepared.outputs]);
    },
    seconds: () => seconds,
    release: async () => {
      await Promise.all([window, rows].map(async ({ made }) => (await made())?.release()));
    },
  };
}

/** What is made when it is first asked for. */
function lazy<T>(make: () => Promise<T>) {
  let made: Promise<T> | undefined;
  return {
    get: (): Promise<T> => {
      made ??= make();
      return made;
    },
    made: (): Promise<T> | undefined => made,
  };
}
