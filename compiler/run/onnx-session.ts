import { existsSync } from "node:fs";
import type { Tensor as OrtTensor } from "onnxruntime-web/wasm";
import { fail } from "../../ir/diagnostic.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { type Dtype, decodeElements, encodeWeight, type TypedTensor } from "../tensors/index.ts";
import { negativeIndex } from "./index-inputs.ts";
import { logSeverityLevel, onnxRuntime } from "./onnx-runtime.ts";
import type { RuntimeInfo, RuntimeName } from "./runtime-name.ts";

/** A float32 tensor in the layout of ONNX Runtime: an output of one run that the next run takes unchanged. */
export interface OrtCacheTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export interface OnnxRunResults {
  readonly tensors: ReadonlyMap<string, TypedTensor>;
  readonly cached: ReadonlyMap<string, OrtCacheTensor>;
}

/** A part of the model that a party runs in plaintext. */
export interface OnnxSession {
  readonly inputNames: readonly string[];
  /** Outputs that are tensors of numbers; others, as maps of scikit-learn's classes, cannot be asked for. */
  readonly tensorOutputs: readonly string[];
  /** `only`: outputs to compute; default: all. */
  readonly run: (
    inputs: ReadonlyMap<string, TypedTensor>,
    only?: readonly string[],
  ) => Promise<ReadonlyMap<string, TypedTensor>>;
  /** The same with `given` inputs of an earlier run; the outputs named in `hold` are returned for a later one. */
  readonly runCached: (
    inputs: ReadonlyMap<string, TypedTensor>,
    given: ReadonlyMap<string, OrtCacheTensor>,
    hold: readonly string[],
  ) => Promise<OnnxRunResults>;
  readonly release: () => Promise<void>;
}

type OrtData = OrtTensor["data"];

const viaBigInt = (make: (values: bigint[]) => OrtData) => (data: Float64Array) =>
  make(Array.from(data, (x) => BigInt(x)));

/** Converts to the element types of ONNX Runtime inputs. */
const toOrtData: Readonly<Partial<Record<Dtype, (data: Float64Array) => OrtData>>> = {
  float32: (data) => Float32Array.from(data),
  float64: (data) => data,
  // A typed array of halves where the platform has one: the package takes their bits on all.
  float16: (data) => new Uint16Array(encodeWeight("float16", { data }).buffer),
  int64: viaBigInt((values) => BigInt64Array.from(values)),
  uint64: viaBigInt((values) => BigUint64Array.from(values)),
  int32: (data) => Int32Array.from(data),
  uint32: (data) => Uint32Array.from(data),
  int16: (data) => Int16Array.from(data),
  uint16: (data) => Uint16Array.from(data),
  int8: (data) => Int8Array.from(data),
  uint8: (data) => Uint8Array.from(data),
  bool: (data) => Uint8Array.from(data),
};

/** Opens the file, or stands for a part that is empty: no file, nothing computed. `runtime`: other than the preferred one. */
export async function openOnnxSession(file: string, runtime?: RuntimeName): Promise<OnnxSession> {
  if (!existsSync(file)) {
    const nothing: OnnxRunResults = { tensors: new Map(), cached: new Map() };
    return {
      inputNames: [],
      tensorOutputs: [],
      run: async () => new Map(),
      runCached: async () => nothing,
      release: async () => {},
    };
  }
  const ort = await onnxRuntime(runtime);
  const session = await ort.open(file);
  // The types of the file: a tensor from JSON does not say whether it is int32.
  const types = new Map(session.inputMetadata.map((input) => [input.name, input.isTensor ? input.type : "float32"]));
  const feed = (name: string, { tensor }: TypedTensor): OrtTensor => {
    const dtype = types.get(name) as Dtype;
    return new ort.Tensor(dtype as "float32", toOrtData[dtype]!(tensor.data) as Float32Array, [...tensor.shape]);
  };
  const fromCached = ({ data, dims }: OrtCacheTensor): OrtTensor => new ort.Tensor("float32", data, dims);
  const runHeld = async (
    inputs: ReadonlyMap<string, TypedTensor>,
    given: ReadonlyMap<string, OrtCacheTensor>,
    cacheNames: readonly string[],
    only: readonly string[] = session.outputNames,
  ): Promise<OnnxRunResults> => {
    const strayed = negativeIndex(file, inputs);
    if (strayed !== undefined) refuseInput(file, new Error(strayed));
    const wanted = session.inputNames.map((name): [string, OrtTensor] => {
      const cachedInput = given.get(name);
      return [name, cachedInput ? fromCached(cachedInput) : feed(name, inputs.get(name)!)];
    });
    const results = await session
      .run(Object.fromEntries(wanted), only, { logSeverityLevel })
      .catch((error: Error) => refuseInput(file, error));
    const entries = Object.entries(results) as [string, OrtTensor][];
    return {
      tensors: new Map(
        entries.flatMap(([name, result]) => (cacheNames.includes(name) ? [] : [[name, fromOrtTensor(result)]])),
      ),
      cached: new Map(
        cacheNames.map((name) => [name, { dims: results[name]!.dims, data: results[name]!.data as Float32Array }]),
      ),
    };
  };
  return {
    inputNames: session.inputNames,
    tensorOutputs: session.outputMetadata.flatMap((output) =>
      output.isTensor && output.type !== "string" ? [output.name] : [],
    ),
    run: async (inputs, only) => (await runHeld(inputs, new Map(), [], only)).tensors,
    runCached: runHeld,
    release: () => session.release(),
  };
}

/**
 * The build of ONNX Runtime that sessions use here. The result type does not name the bundled package, whose types a user
 * of marillc does not have.
 */
export const runtimeInfo = async (): Promise<RuntimeInfo> => await onnxRuntime();

/** Shapes and types are checked before, so the cause is a value: for example an index outside its table. */
const refuseInput = (at: string, { message }: Error): never =>
  fail({
    code: "MRL0814",
    message: "ONNX Runtime cannot run this party's part of the model on this input",
    at,
    because: [message.split("\n")[0]!],
    help: "check the values: token ids must be within the vocabulary",
  });

function fromOrtTensor({ type, dims, data }: OrtTensor): TypedTensor {
  const numbers =
    type === "float16" && data instanceof Uint16Array
      ? decodeElements("float16", new Uint8Array(data.buffer, data.byteOffset, data.byteLength), "an output")
      : Float64Array.from(data as ArrayLike<number | bigint>, Number);
  const tensor: Tensor = { shape: dims, data: numbers };
  return { dtype: type as Dtype, tensor };
}
