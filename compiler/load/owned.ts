import type { Reveal } from "../../passes/1-split/reveals.ts";
import {
  attachAdapter,
  exchangeWhole,
  feedAdapter,
  isOnnxAdapter,
  readAdapter,
  readOnnxAdapter,
  takeApart,
} from "../adapters/index.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import { type Imported, importModel } from "../onnx/import/index.ts";
import { readModel, settleInputs, toldApart } from "../onnx/normalize/index.ts";
import {
  type Base,
  decideOwnership,
  type Ownership,
  openBase,
  publicSurrogate,
  type Surrogate,
} from "../ownership/index.ts";
import { type Asked, askedOutputs } from "./asked-outputs.ts";
import type { CompileOptions } from "./options.ts";

/** A model with everything known about its owners. */
export interface Owned {
  readonly model: OnnxModel;
  readonly imported: Imported;
  readonly ownership: Ownership;
  readonly surrogate: Surrogate;
  /** Outputs by name, in the place of patterns. */
  readonly reveal: readonly Reveal[];
  /** Outputs that nobody asked for. */
  readonly left: Asked["left"];
}

/** What no user chooses. */
export interface HowToImport {
  /** Also a model in which nothing is private: to look at, not to compile. */
  readonly allowAllPublic?: boolean;
  /** Off in tests of what compiles without recognisers; default: on. */
  readonly canonical?: boolean;
}

const mapOf = <T>(record: Readonly<Record<string, T>> = {}): ReadonlyMap<string, T> => new Map(Object.entries(record));

/** The model, its adapter where there is one, and who owns what. */
function readOwned(options: CompileOptions, allowAllPublic: boolean) {
  // The model first: what is wrong with it is told before what is wrong with its base.
  const raw = readModel(options.model);
  const base = options.base === undefined ? undefined : openBase(options.base);
  const whole = toldApart(raw, base?.names);
  const { model: asked, reveal, left } = askedOutputs(whole, options.reveal);
  const read = settleInputs(asked, mapOf(options.dims), mapOf(options.fixed));
  const { model, adapter, before } = withAdapter(read, base, options);
  const ownership = decideOwnership(model, {
    allowAllPublic,
    ...(options.private && { private: options.private }),
    ...(base && { base }),
    ...(adapter && { adapter }),
    ...(before && { before }),
    ...(options.baseAdapter !== undefined && { baseAdapter: readAdapter(options.baseAdapter) }),
  });
  return { model, adapter, ownership, reveal, left };
}

/** The model with weights exchanged where the adapter has others, what stood there before, and what is to be attached. */
function withAdapter(read: OnnxModel, base: Base | undefined, options: CompileOptions) {
  if (options.adapter !== undefined && isOnnxAdapter(options.adapter)) {
    const fed = feedAdapter(read, readOnnxAdapter(options.adapter), base?.names);
    return { ...fed, adapter: { folder: options.adapter, modules: [], whole: [], fanInFanOut: false } };
  }
  const given = options.adapter === undefined ? undefined : readAdapter(options.adapter);
  const { model, adapter } =
    options.lowRank && base ? takeApart(read, base, options.lowRank, options.private) : { model: read, adapter: given };
  return adapter
    ? { ...exchangeWhole(model, adapter, base?.names), adapter }
    : { model, adapter: undefined, before: undefined };
}

/** Who owns what of a model, whether or not it can be compiled. */
export const ownershipFor = (options: CompileOptions): Ownership => readOwned(options, true).ownership;

/** Reads the model, decides who owns what, and attaches the adapter. */
export function importOwned(
  options: CompileOptions,
  { allowAllPublic = false, canonical = true }: HowToImport = {},
): Owned {
  const { model, adapter, ownership, reveal, left } = readOwned(options, allowAllPublic);
  const plain = importModel(model, {
    ownership,
    canonical,
    dims: mapOf(options.dims),
    inputs: mapOf(options.inputs),
  });
  const imported = adapter ? attachAdapter(plain, adapter, ownership.labels) : plain;
  return { model, imported, ownership, surrogate: publicSurrogate(imported, ownership), reveal, left };
}

/** The imported model, whoever owns it. */
export const importFor = (options: CompileOptions): Imported => importOwned(options, { allowAllPublic: true }).imported;
