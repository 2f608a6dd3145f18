import type { DirectionName, Manifest, NamedBytes, PartyName } from "../build/index.ts";
import { shortType, type TypedTensor } from "../tensors/index.ts";
import type { ClampedValues } from "./quantize-inputs.ts";

export interface OutputJson {
  readonly shape: readonly number[];
  readonly type: string;
  readonly data: readonly number[];
}

/** Shares of outputs by name: the id of the value, and the file of each party that ran on this machine. */
export type SharesJson = Readonly<
  Record<string, { readonly id: string; readonly files: Readonly<Partial<Record<"client" | "server", string>>> }>
>;

/** Output of `run --json` and `query --json`. */
export interface RunResult {
  readonly schema: 1;
  readonly outputs: Readonly<Record<string, OutputJson>>;
  /** Outputs revealed to the server. */
  readonly serverOutputs?: Readonly<Record<string, OutputJson>>;
  /** With `--plain`: outputs that stay shared, which nobody would learn. */
  readonly sharedOutputs?: Readonly<Record<string, OutputJson>>;
  /** Outputs that stay shared: where the shares of the parties that ran here lie. */
  readonly shares?: SharesJson;
  /** For a build with a guard: whether every guarded value stayed within its range. */
  readonly trusted?: boolean;
  /** With `--clamp`: number of values of each tensor that were moved onto their public bounds. */
  readonly clamped?: ClampedValues;
  readonly setting: string;
  readonly security: string;
  readonly truncation: string;
  readonly queries: number;
  readonly predicted?: { readonly rounds: number; readonly bytes: NamedBytes };
  readonly measured?: MeasuredRun;
}

export interface MeasuredRun {
  readonly rounds: number;
  readonly bytes: NamedBytes;
  readonly framingBytes: number;
  readonly seconds: { readonly setup?: number; readonly offline: number; readonly online: number };
  readonly peakMegabytes: Readonly<Partial<Record<PartyName, number>>>;
}

export const outputsJson = (outputs: ReadonlyMap<string, TypedTensor>): Readonly<Record<string, OutputJson>> =>
  Object.fromEntries(
    [...outputs].map(([name, { dtype, tensor }]) => [
      name,
      { shape: tensor.shape, type: shortType(dtype), data: Array.from(tensor.data) },
    ]),
  );

/** Nothing to say where nothing was moved. */
export const clampedField = (clamped: ClampedValues): Pick<RunResult, "clamped"> =>
  Object.keys(clamped).length > 0 ? { clamped } : {};

/** Adds up the values that several queries moved. */
export const addClamped = (a: ClampedValues, b: ClampedValues): ClampedValues =>
  Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]),
  );

export const trustedField = ({ guard }: Manifest, trusted: boolean): Pick<RunResult, "trusted"> =>
  guard ? { trusted } : {};

export const securityFields = ({ setting, security, truncation }: Manifest) => ({ setting, security, truncation });

export const roundSeconds = (seconds: number): number => Math.round(seconds * 1e4) / 1e4;

export const roundTimes = <T extends Readonly<Record<string, number>>>(seconds: T): T =>
  Object.fromEntries(Object.entries(seconds).map(([phase, time]) => [phase, roundSeconds(time)])) as T;

/** Links that carry something, in reading order. */
export const usedDirections = (bytes: NamedBytes): readonly (readonly [DirectionName, number])[] =>
  (Object.entries(bytes) as [DirectionName, number][]).filter(([, count]) => count > 0);
