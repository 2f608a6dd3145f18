import { join } from "node:path";
import { concat } from "../../ir/ops/concat.ts";
import { slice } from "../../ir/ops/slice.ts";
import type { Tensor } from "../../ir/weights.ts";
import type { IntTensor } from "../../runtime/ring/tensor.ts";
import { type Asked, windowAsked } from "../../runtime/session/party-session.ts";
import type { TypedTensor } from "../weights/npy.ts";
import type { Part } from "./build-parts.ts";
import { openOnnx } from "./onnx-part.ts";
import { dequantise, quantise } from "./quantise.ts";

/** What the client computes alone, around the secure part. */
export interface ClientPart {
  /** Runs public.onnx and makes integers of the cut tensors: of the whole window, or of the place that is asked about. */
  readonly before: (inputs: ReadonlyMap<string, TypedTensor>, asked?: Asked) => Promise<Prepared>;
  /** Runs head.onnx on what was revealed: the outputs of the model, by name; of the place alone, where one was asked about. */
  readonly after: (
    prepared: Prepared,
    revealed: ReadonlyMap<string, IntTensor>,
  ) => Promise<ReadonlyMap<string, TypedTensor>>;
  readonly release: () => Promise<void>;
}

export interface Prepared {
  readonly asked: Asked;
  readonly shared: Readonly<Record<string, IntTensor>>;
  /** Outputs that need no secure computation. */
  readonly outputs: ReadonlyMap<string, TypedTensor>;
}

export async function openClientPart({ dir, manifest, program, decode }: Part): Promise<ClientPart> {
  const [body, head] = await Promise.all([openOnnx(join(dir, "public.onnx")), openOnnx(join(dir, "head.onnx"))]);
  const intermediate = new Set(manifest.tails.map(({ from }) => from));
  /** What the manifest says of the program that is asked for, and along which axis a place lies; none for the window. */
  const about = ({ program: index, place }: Asked) => {
    const next = index > 0 ? manifest.decode : undefined;
    const of = next && decode ? { ...next, program: decode } : { ...manifest, program };
    return { ...of, place: next ? place : undefined };
  };
  return {
    before: async (inputs, asked = windowAsked) => {
      // The whole window again, in the clear and without traffic: what is before the cuts may look at all places.
      const computed = await body.run(inputs);
      const { cuts, program: current, place } = about(asked);
      // A cut may be an input of the model as it is.
      const found = new Map(
        cuts.map((cut) => {
          const { tensor } = (computed.get(cut.tensor) ?? inputs.get(cut.tensor))!;
          return [cut.tensor, place === undefined ? tensor : rowOf(tensor, axisOf(cut), place)];
        }),
      );
      const outputs = manifest.clientOutputs.map((name): [string, TypedTensor] => [name, computed.get(name)!]);
      return { asked, shared: quantise({ cuts }, current, found), outputs: new Map(outputs) };
    },
    after: async (prepared, revealed) => {
      const { reveals, program: current, place } = about(prepared.asked);
      const opened = new Map<string, TypedTensor>();
      const places = manifest.decode?.places ?? 1;
      let axis = 1;
      for (const reveal of reveals) {
        const { value, tensor, to } = reveal;
        const found = revealed.get(value);
        if (to !== "client" || !found) continue;
        const real = dequantise(found, current.outputs[value]!.scale);
        // The head is of the window as well: what was revealed of one place stands at its place in an empty one.
        const whole = place !== undefined && intermediate.has(tensor);
        axis = axisOf(reveal);
        opened.set(tensor, { dtype: "float32", tensor: whole ? inWindow(real, axis, place, places) : real });
      }
      const computed = manifest.tails.length > 0 ? await head.run(opened) : new Map<string, TypedTensor>();
      const rows = [...computed].map(([name, { dtype, tensor }]): [string, TypedTensor] => [
        name,
        { dtype, tensor: place === undefined ? tensor : rowOf(tensor, axis, place) },
      ]);
      const direct = [...opened].filter(([tensor]) => !intermediate.has(tensor));
      return new Map([...direct, ...rows, ...prepared.outputs]);
    },
    release: async () => {
      await Promise.all([body.release(), head.release()]);
    },
  };
}

const axisOf = (entry: object): number => ("axis" in entry ? Number(entry.axis) : 1);

/** The row of one place. */
const rowOf = (x: Tensor, axis: number, place: number): Tensor =>
  slice.evaluate([x], {
    starts: x.shape.map((_, at) => (at === axis ? place : 0)),
    ends: x.shape.map((extent, at) => (at === axis ? place + 1 : extent)),
    steps: x.shape.map(() => 1),
  });

/** A window that is zero but for the row of one place. */
function inWindow(row: Tensor, axis: number, place: number, places: number): Tensor {
  const empty = (count: number): Tensor => {
    const shape = row.shape.with(axis, count);
    return { shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) };
  };
  return concat.evaluate([empty(place), row, empty(places - place - 1)], { axis });
}
