import type { IntTensor } from "../../runtime/ring/index.ts";
import { type Asked, windowAsked } from "../../runtime/session/index.ts";
import type { Part } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type Axes, type ClientLayers, rowsOf, type Tensors } from "./client-layers.ts";
import { openClientRows } from "./client-rows.ts";
import { openClientWindow } from "./client-window.ts";
import { dequantise, quantise } from "./quantise.ts";

/** What the client computes alone, around the secure part. */
export interface ClientPart {
  /** Runs its own layers and makes integers of the cut tensors: of the whole window, or of the place that is asked about. */
  readonly before: (inputs: Tensors, asked?: Asked) => Promise<Prepared>;
  /** Goes on from what was revealed: the outputs of the model, by name; of the place alone, where one was asked about. */
  readonly after: (prepared: Prepared, revealed: ReadonlyMap<string, IntTensor>) => Promise<Tensors>;
  /** What its own layers have taken so far. */
  readonly seconds: () => number;
  readonly release: () => Promise<void>;
}

export interface Prepared {
  readonly asked: Asked;
  readonly shared: Readonly<Record<string, IntTensor>>;
  /** Outputs that need no secure computation. */
  readonly outputs: Tensors;
}

export async function openClientPart({ dir, manifest, program, decode, windows }: Part): Promise<ClientPart> {
  const intermediate = new Set(manifest.tails.map(({ from }) => from));
  const next = decode && manifest.decode ? { ...manifest.decode, program: decode } : undefined;
  const shorter = windows.map((each, k) => ({ ...next!.windows![k]!, program: each }));
  const whole = { ...manifest, program };
  const places = next?.places ?? 1;
  const clear = next?.clear;
  const [window, rows] = [once(() => openClientWindow(dir, places)), once(() => openClientRows(dir, clear!))];
  /** A session in which places are kept needs no layers over the window, and any other no rows: neither is read in vain. */
  const layersFor = ({ program: index, place }: Asked): Promise<ClientLayers> =>
    clear && (index > 0 || place > 0) ? rows.get() : window.get();
  /** What the manifest says of the program that is asked for, and which rows of the window it has. */
  const about = ({ program: index, place }: Asked) => {
    if (next && index === 1) return { ...next, rows: [place, place + 1] as const, keep: place + 1 };
    const some = index > 1 ? shorter[index - 2]! : undefined;
    return { ...(some ?? whole), rows: [0, some?.places ?? places] as const, keep: place };
  };
  const axesOf = (entries: readonly object[]): Axes =>
    new Map(
      (entries as readonly { readonly tensor: string; readonly axis?: number }[]).map(({ tensor, axis = 1 }) => [
        tensor,
        axis,
      ]),
    );
  let seconds = 0;
  const timed = async (work: () => Promise<Tensors>): Promise<Tensors> => {
    const started = performance.now();
    const made = await work();
    seconds += (performance.now() - started) / 1000;
    return made;
  };
  return {
    before: async (inputs, asked = windowAsked) => {
      const { cuts, program: current, rows: wanted, keep } = about(asked);
      const axes = axesOf(cuts);
      const layers = await layersFor(asked);
      const computed = await timed(() => layers.before(inputs, wanted, keep, axes));
      /** A cut may be an input of the model as it is. */
      const given = (name: string): TypedTensor =>
        asked.program === 0 ? inputs.get(name)! : rowsOf(inputs.get(name)!, axes.get(name)!, wanted);
      const found = new Map(cuts.map(({ tensor }) => [tensor, (computed.get(tensor) ?? given(tensor)).tensor]));
      const outputs = manifest.clientOutputs.map((name): [string, TypedTensor] => [name, computed.get(name)!]);
      return { asked, shared: quantise({ cuts }, current, found), outputs: new Map(outputs) };
    },
    after: async (prepared, revealed) => {
      const { reveals, program: current, rows: wanted } = about(prepared.asked);
      const opened = new Map<string, TypedTensor>();
      for (const { value, tensor, to } of reveals) {
        const found = revealed.get(value);
        if (to !== "client" || !found) continue;
        const real = dequantise(found, current.outputs[value]!.scale);
        opened.set(tensor, { dtype: "float32", tensor: real });
      }
      const behind = new Map([...opened].filter(([tensor]) => intermediate.has(tensor)));
      const layers = await layersFor(prepared.asked);
      const computed: Tensors =
        behind.size > 0 ? await timed(() => layers.after(behind, wanted, axesOf(reveals))) : new Map();
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
function once<T>(make: () => Promise<T>) {
  let made: Promise<T> | undefined;
  return {
    get: (): Promise<T> => {
      made ??= make();
      return made;
    },
    made: (): Promise<T> | undefined => made,
  };
}
