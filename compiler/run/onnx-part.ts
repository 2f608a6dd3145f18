import { existsSync } from "node:fs";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { fail } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/weights.ts";
import type { Dtype, TypedTensor } from "../tensors/index.ts";

/** A tensor of real numbers as onnxruntime holds it: what one run gives goes into the next as it is. */
export interface Held {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export interface OnnxResults {
  readonly tensors: ReadonlyMap<string, TypedTensor>;
  readonly held: ReadonlyMap<string, Held>;
}

/** A part of the model that a party runs in the clear. */
export interface OnnxPart {
  readonly inputNames: readonly string[];
  readonly run: (inputs: ReadonlyMap<string, TypedTensor>) => Promise<ReadonlyMap<string, TypedTensor>>;
  /** The same with inputs that an earlier run gave; `hold`: outputs that a later one takes. */
  readonly runHeld: (
    inputs: ReadonlyMap<string, TypedTensor>,
    given: ReadonlyMap<string, Held>,
    hold: readonly string[],
  ) => Promise<OnnxResults>;
  readonly release: () => Promise<void>;
}

type Contents = OrtTensor["data"];

const bigint = (make: (values: bigint[]) => Contents) => (data: Float64Array) =>
  make(Array.from(data, (x) => BigInt(x)));

/** How onnxruntime holds each type that it takes from us. */
const contentsOf: Readonly<Partial<Record<Dtype, (data: Float64Array) => Contents>>> = {
  float32: (data) => Float32Array.from(data),
  float64: (data) => data,
  int64: bigint((values) => BigInt64Array.from(values)),
  uint64: bigint((values) => BigUint64Array.from(values)),
  int32: (data) => Int32Array.from(data),
  uint32: (data) => Uint32Array.from(data),
  int16: (data) => Int16Array.from(data),
  uint16: (data) => Uint16Array.from(data),
  int8: (data) => Int8Array.from(data),
  uint8: (data) => Uint8Array.from(data),
  bool: (data) => Uint8Array.from(data),
};

/** Opens the file, or stands for a part that is empty: no file, nothing computed. */
export async function openOnnx(file: string): Promise<OnnxPart> {
  if (!existsSync(file)) {
    const nothing: OnnxResults = { tensors: new Map(), held: new Map() };
    return { inputNames: [], run: async () => new Map(), runHeld: async () => nothing, release: async () => {} };
  }
  const ort = await import("onnxruntime-node");
  // A thread of its own per party: more would take the others'.
  const session: InferenceSession = await ort.InferenceSession.create(file, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    // Fatal only: what goes wrong is said once, by us.
    logSeverityLevel: 4,
  });
  // The file's own types: a tensor read from JSON does not know that it should be int32.
  const types = new Map(session.inputMetadata.map((input) => [input.name, input.isTensor ? input.type : "float32"]));
  const feed = (name: string, { tensor }: TypedTensor): OrtTensor => {
    const dtype = types.get(name) as Dtype;
    return new ort.Tensor(dtype as "float32", contentsOf[dtype]!(tensor.data) as Float32Array, [...tensor.shape]);
  };
  const again = ({ data, dims }: Held): OrtTensor => new ort.Tensor("float32", data, dims);
  const runHeld: OnnxPart["runHeld"] = async (inputs, given, hold) => {
    const wanted = session.inputNames.map((name): [string, OrtTensor] => {
      const earlier = given.get(name);
      return [name, earlier ? again(earlier) : feed(name, inputs.get(name)!)];
    });
    const results = await session.run(Object.fromEntries(wanted)).catch((error: Error) => refuseInput(file, error));
    const entries = Object.entries(results) as [string, OrtTensor][];
    return {
      tensors: new Map(entries.flatMap(([name, result]) => (hold.includes(name) ? [] : [[name, typed(result)]]))),
      held: new Map(
        hold.map((name) => [name, { dims: results[name]!.dims, data: results[name]!.data as Float32Array }]),
      ),
    };
  };
  return {
    inputNames: session.inputNames,
    run: async (inputs) => (await runHeld(inputs, new Map(), [])).tensors,
    runHeld,
    release: () => session.release(),
  };
}

/** Shapes and types are checked before: what is left are values that no model can take, as an index out of its table. */
const refuseInput = (at: string, { message }: Error): never =>
  fail({
    code: "MRL0814",
    message: "the client's part of the model cannot be computed on this input",
    at,
    because: [message.split("\n")[0]!],
    help: "check the values: token numbers must be within the vocabulary",
  });

function typed({ type, dims, data }: OrtTensor): TypedTensor {
  const tensor: Tensor = { shape: dims, data: Float64Array.from(data as ArrayLike<number | bigint>, Number) };
  return { dtype: type as Dtype, tensor };
}
