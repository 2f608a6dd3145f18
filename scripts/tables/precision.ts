import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createNoise } from "../../compiler/accuracy/index.ts";
import { type ModelOptions, resolveModelOptions } from "../../compiler/api/index.ts";
import { loadPartyBuild, writeBuild } from "../../compiler/build/index.ts";
import { compileModel } from "../../compiler/compile/index.ts";
import { readModel } from "../../compiler/onnx/normalize/index.ts";
import { checkInputs, openLocal, openOnnxSession, readInputFiles, runPlain } from "../../compiler/run/index.ts";
import { writeNpz } from "../../compiler/tensors/index.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { sizeOf } from "../../ir/type.ts";
import { declaredErrors } from "./declared-error.ts";
import { dataFiles, dimsOf, readRecordedModel } from "./recorded-model.ts";

/** A model with public calibration inputs, and one query. All weights are private. */
export interface PrecisionCase {
  readonly name: string;
  readonly options: ModelOptions;
  /** Files with the inputs of the query. */
  readonly inputs: readonly string[];
}

export interface PrecisionResult {
  readonly name: string;
  /** Largest difference of a revealed output from ONNX Runtime's, and largest |output|. */
  readonly error: number;
  readonly declared: number;
  /** The same of the exact interpreter. */
  readonly rounding: number;
  readonly most: number;
  /** Bytes between client and server, and from the dealer. */
  readonly online: number;
  readonly dealt: number;
  readonly rounds: number;
}

/** The options that every case shares: ranges from the model itself, all weights private, all outputs to the client. */
const optionsOf = (model: string, calibrate: string): ModelOptions => {
  const { graph } = readModel(model);
  const reveal = Object.fromEntries(graph.outputs.map(({ name }) => [name, "client" as const]));
  return { model, base: model, private: ["*"], reveal, calibrate };
};

/** A folder in the layout of the ONNX project's test data: it calibrates on its own query. */
export function recordedCase(folder: string): PrecisionCase {
  const recorded = readRecordedModel(folder);
  const options = { ...optionsOf(recorded.file, recorded.data), dims: Object.fromEntries(dimsOf(recorded)) };
  return { name: basename(folder), options, inputs: dataFiles(recorded.data, "input") };
}

/** A folder with `model.onnx`, `calib` and the inputs of a query in `test`. */
export function folderCase(folder: string): PrecisionCase | undefined {
  const [model, test] = [join(folder, "model.onnx"), join(folder, "test")];
  if (!existsSync(model) || !existsSync(test)) return undefined;
  const inputs = readdirSync(test).map((file) => `${basename(file, ".npy")}=${join(test, file)}`);
  const shapes = [...readInputFiles(inputs)].map(([name, given]) => [name, given.tensor.shape] as const);
  const dims = Object.fromEntries(
    shapes.flatMap(([name, shape]) => {
      const input = readModel(model).graph.inputs.find((each) => each.name === name);
      return (input?.dims ?? []).flatMap((dim, axis) =>
        dim === undefined ? [[`${name}.${axis}`, shape[axis]!]] : typeof dim === "string" ? [[dim, shape[axis]!]] : [],
      );
    }),
  );
  return { name: basename(folder), options: { ...optionsOf(model, join(folder, "calib")), dims }, inputs };
}

/** A model file alone: numbers in ±1, and small integers, as inputs. */
export function drawnCase(model: string, folder: string): PrecisionCase {
  const { graph } = readModel(model);
  const next = createNoise();
  const draw = () =>
    new Map(
      graph.inputs
        .filter(({ name }) => !graph.initializers.has(name))
        .map(({ name, dims, dtype }) => {
          const shape = dims as readonly number[];
          const isReal = dtype === "float32";
          const value = (): number => (isReal ? next() : name.includes("mask") ? 1 : Math.floor(5.5 + 5 * next()));
          const drawn = tensor(shape, Array.from({ length: sizeOf(shape) }, value));
          return [name, { dtype: isReal ? ("float32" as const) : ("int64" as const), tensor: drawn }] as const;
        }),
    );
  const calibrate = join(folder, "calibration");
  mkdirSync(calibrate);
  const inputs = [join(folder, "query.npz")];
  writeFileSync(inputs[0]!, writeNpz(draw()));
  for (const k of [1, 2, 3]) writeFileSync(join(calibrate, `${k}.npz`), writeNpz(draw()));
  return { name: basename(model, ".onnx"), options: optionsOf(model, calibrate), inputs };
}

/** Compiles a case, asks three parties, and compares with ONNX Runtime. */
export async function precisionOf(
  { name, options, inputs }: PrecisionCase,
  more: Partial<ModelOptions> = {},
): Promise<PrecisionResult> {
  const dir = mkdtempSync(join(tmpdir(), "marillc-precision-"));
  try {
    writeBuild(dir, compileModel(resolveModelOptions({ ...options, ...more })).files);
    const { manifest } = await loadPartyBuild(dir, "client");
    const given = readInputFiles(inputs);
    const reference = await openOnnxSession(options.model);
    const fed = manifest.inputs.map(({ name }) => [name, given.get(name)!] as const);
    const expected = await reference.run(new Map(fed));
    await reference.release();
    const plain = await runPlain(dir, checkInputs(manifest, given));
    const bounds = await declaredErrors(dir, ...inputs);
    const session = await openLocal({ dir, inProcess: true });
    const { outputs, measured } = await session.query(checkInputs(manifest, given));
    await session.end();
    let [error, most, rounding, declared] = [0, 0, 0, 0];
    for (const [output, { tensor: found }] of outputs) {
      const wanted: Tensor | undefined = expected.get(output)?.tensor;
      declared = Math.max(declared, bounds.get(output) ?? 0);
      found.data.forEach((x, at) => {
        error = Math.max(error, Math.abs(x - wanted!.data[at]!));
        most = Math.max(most, Math.abs(wanted!.data[at]!));
        rounding = Math.max(rounding, Math.abs(plain.outputs.get(output)!.tensor.data[at]! - wanted!.data[at]!));
      });
    }
    const dealt = measured.bytes["dealer→client"] + measured.bytes["dealer→server"];
    const all = Object.values(measured.bytes).reduce((sum, each) => sum + each, 0);
    return { name, error, declared, rounding, most, online: all - dealt, dealt, rounds: measured.rounds };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const power = (part: number): string => (part === 0 ? "0" : `2^${Math.log2(part).toFixed(1)}`);

/** One row of the table: errors are parts of the largest output. */
export const precisionRow = (quality: string, result: PrecisionResult): string =>
  `| ${[
    result.name,
    quality,
    power(result.error / result.most),
    power(result.rounding / result.most),
    power(result.declared / result.most),
    result.online.toLocaleString("en"),
    result.dealt.toLocaleString("en"),
    result.rounds,
  ].join(" | ")} |`;

export const precisionHead =
  "| model | quality | error | of rounding alone | declared | client and server, bytes | dealer, bytes | rounds |\n| --- | --- | --- | --- | --- | ---: | ---: | ---: |";
