import { dirname, extname } from "node:path";
import { sizeOf } from "../../ir/type.ts";
import type { Manifest } from "../build/index.ts";
import { readJsonTensors } from "../inputs/index.ts";
import { type ClampedValues, checkInputs, type InputFile, type InputsOf, readInputFiles } from "../run/index.ts";
import { makeFolder, requireWritable, writeWholeFile } from "../tensors/files/index.ts";
import { type NpyDtype, type TypedTensor, writeNpz } from "../tensors/index.ts";
import { refuseFile, usage } from "./errors.ts";
import {
  either,
  type Field,
  type Fields,
  flag,
  integer,
  isText,
  listOf,
  objectOf,
  recordOf,
  required,
  text,
} from "./fields.ts";

/** Nested lists of numbers; every list of one depth has the same length. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** A tensor of the caller. Its values are converted to the element type of the model's input. */
export interface InputTensor {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: ArrayLike<number | bigint>;
}

export interface ClampOption {
  /**
   * Move values beyond the public bounds of what a party shares onto these bounds, and say how many. Default: false:
   * such an input is refused before anything is sent.
   */
  readonly clamp?: boolean;
}

export const clampFields: Fields<ClampOption> = { clamp: flag };

/** Inputs of the client, or of both parties where both run here. */
export interface InputOptions extends ClampOption {
  /** By input name: the path of a .npy, .npz, .pb or .json file, a tensor, or nested lists. */
  readonly inputs?: Readonly<Record<string, string | InputTensor | NestedNumbers>>;
  /** Files that name their tensors (.npz, .pb, .json), or `name=file` as on the command line. */
  readonly inputFiles?: readonly string[];
}

const isTensor = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
const numbers: Field = (value, at) =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value)
    ? []
    : [`${at}: expected a list or a typed array of numbers`];
/** A number or lists of them, to any depth. */
const nested: Field = (value, at) => {
  if (Array.isArray(value)) return value.flatMap((each) => nested(each, at)).slice(0, 1);
  return typeof value === "number" ? [] : [`${at}: expected numbers in nested lists, found ${typeof value}`];
};

/** Inputs by name. */
export const namedInputs: Field = recordOf(
  either(
    [isText, text],
    [isTensor, objectOf<InputTensor>({ shape: required(listOf(integer(0))), data: required(numbers) })],
    [() => true, nested],
  ),
);

export const inputFields: Fields<InputOptions> = { ...clampFields, inputs: namedInputs, inputFiles: listOf(text) };

/**
 * Reads all inputs, in the shapes and element types of the model.
 * @throws DiagnosticError with all problems at once
 */
export function inputsOf(
  manifest: Manifest,
  { inputs = {}, inputFiles = [] }: InputOptions,
  of: InputsOf = "client",
): ReadonlyMap<string, TypedTensor> {
  return checkInputs(manifest, inputTensorsOf(inputs, inputFiles), of);
}

/** The tensors as they are given, by name. */
export function inputTensorsOf(
  inputs: NonNullable<InputOptions["inputs"]>,
  inputFiles: readonly (string | InputFile)[],
): ReadonlyMap<string, TypedTensor> {
  const files = Object.entries(inputs).flatMap(([name, value]) =>
    typeof value === "string" ? [{ name, file: value }] : [],
  );
  const tensors = Object.entries(inputs).flatMap(([name, value]) =>
    typeof value === "string" || value === undefined ? [] : [[name, tensorOf(name, value)] as const],
  );
  return readInputFiles([...inputFiles, ...files], new Map(tensors));
}

function tensorOf(name: string, value: InputTensor | NestedNumbers): TypedTensor {
  if (typeof value === "number" || !("shape" in value)) {
    const text = new TextEncoder().encode(JSON.stringify({ [name]: value }));
    return readJsonTensors(text, "inputs").get(name)!;
  }
  const { shape, data } = value;
  if (sizeOf(shape) !== data.length) {
    usage(`input ${name}: expected ${sizeOf(shape)} values for shape [${shape.join(", ")}], found ${data.length}`);
  }
  return {
    dtype: "float64",
    tensor: { shape: [...shape], data: Float64Array.from(data as ArrayLike<number>, Number) },
  };
}

/** Says how many values `--clamp` moved, one line for each tensor. */
export function warnClamped(clamped: ClampedValues, onWarning: ((line: string) => void) | undefined): void {
  for (const [tensor, count] of Object.entries(clamped)) {
    onWarning?.(`--clamp moved ${count} value${count === 1 ? "" : "s"} of tensor "${tensor}" onto its public bounds`);
  }
}

/** Makes the folder of a file that will be written after the parties have run: a query cannot be repeated for free. */
export function prepareOutput(file: string | undefined, onWarning?: (line: string) => void): void {
  if (file === undefined) return;
  const ending = extname(file);
  if (ending !== "" && ending !== ".npz") onWarning?.(`--output writes the format .npz, also into ${file}`);
  try {
    makeFolder(dirname(file));
  } catch (error) {
    refuseFile(error);
  }
  requireWritable(file);
}

/** Returns what it adds to the result: nothing. */
export function saveOutputs(file: string | undefined, outputs: ReadonlyMap<string, TypedTensor>): object {
  if (file !== undefined)
    writeWholeFile(file, writeNpz(outputs as ReadonlyMap<string, TypedTensor & { readonly dtype: NpyDtype }>));
  return {};
}
