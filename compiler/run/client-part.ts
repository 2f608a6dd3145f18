import { join } from "node:path";
import type { IntTensor } from "../../runtime/ring/tensor.ts";
import type { TypedTensor } from "../weights/npy.ts";
import type { Part } from "./build-parts.ts";
import { openOnnx } from "./onnx-part.ts";
import { dequantise, quantise } from "./quantise.ts";

/** What the client computes alone, around the secure part. */
export interface ClientPart {
  /** Runs public.onnx and makes integers of the cut tensors. */
  readonly before: (inputs: ReadonlyMap<string, TypedTensor>) => Promise<Prepared>;
  /** Runs head.onnx on what was revealed: the outputs of the model, by name. */
  readonly after: (
    prepared: Prepared,
    revealed: ReadonlyMap<string, IntTensor>,
  ) => Promise<ReadonlyMap<string, TypedTensor>>;
  readonly release: () => Promise<void>;
}

export interface Prepared {
  readonly shared: Readonly<Record<string, IntTensor>>;
  /** Outputs that need no secure computation. */
  readonly outputs: ReadonlyMap<string, TypedTensor>;
}

export async function openClientPart({ dir, manifest, program }: Part): Promise<ClientPart> {
  const [body, head] = await Promise.all([openOnnx(join(dir, "public.onnx")), openOnnx(join(dir, "head.onnx"))]);
  const intermediate = new Set(manifest.tails.map(({ from }) => from));
  return {
    before: async (inputs) => {
      const computed = await body.run(inputs);
      // A cut may be an input of the model as it is.
      const cuts = new Map(
        manifest.cuts.map(({ tensor }) => [tensor, (computed.get(tensor) ?? inputs.get(tensor))!.tensor]),
      );
      const outputs = manifest.clientOutputs.map((name): [string, TypedTensor] => [name, computed.get(name)!]);
      return { shared: quantise(manifest, program, cuts), outputs: new Map(outputs) };
    },
    after: async (prepared, revealed) => {
      const opened = new Map<string, TypedTensor>();
      for (const { value, tensor, to } of manifest.reveals) {
        const found = revealed.get(value);
        if (to !== "client" || !found) continue;
        opened.set(tensor, { dtype: "float32", tensor: dequantise(found, program.outputs[value]!.scale) });
      }
      const computed = manifest.tails.length > 0 ? await head.run(opened) : new Map<string, TypedTensor>();
      const direct = [...opened].filter(([tensor]) => !intermediate.has(tensor));
      return new Map([...direct, ...computed, ...prepared.outputs]);
    },
    release: async () => {
      await Promise.all([body.release(), head.release()]);
    },
  };
}
