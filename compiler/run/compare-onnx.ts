import type { Tensor } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type OnnxSession, openOnnxSession, runtimeInfo } from "./onnx-session.ts";
import type { RuntimeInfo } from "./runtime-name.ts";
import type { VerificationRun } from "./verify-build.ts";

/** What our import of a model's file answers. */
export interface ImportedRuns {
  readonly file: string;
  readonly runs: readonly VerificationRun[];
  /** The answers of a run where every value is rounded to single precision. */
  readonly rounded: (run: VerificationRun) => ReadonlyMap<string, Tensor>;
  /** How far decisions may move each element, where errors of so many roundings lead to them. */
  readonly undecided: (run: VerificationRun, room: number) => ReadonlyMap<string, Float64Array>;
  /** How many times coarser than single precision the numbers of the file are. */
  readonly coarser: () => number;
  /** Whether the program has an adapter that is no part of the file. */
  readonly withoutAdapter: boolean;
}

/** How far an output of our import, in float64, is from ONNX Runtime's. */
export interface ImportDifference {
  readonly output: string;
  /** The largest over elements and runs, in the output's units; infinite for another shape. */
  readonly difference: number;
  /** What rounding to single precision explains. */
  readonly allowed: number;
  /** Largest magnitude of our answers; 0 for integers, where every difference is another meaning. */
  readonly largest: number;
}

export type OnnxComparison =
  | {
      readonly runtime: Pick<RuntimeInfo, "name" | "version">;
      /** The file was compared, and the adapter is no part of it. */
      readonly withoutAdapter?: true;
      /** Those that ONNX Runtime gives as no tensor are absent. */
      readonly outputs: readonly ImportDifference[];
    }
  | { readonly unavailable: string };

/**
 * Kernels of ONNX Runtime use short series and other orders of summation: on the models of the fixtures they differ from
 * float64 by less than this part of the largest value. Below it, single precision is not even tried.
 */
const roundingPart = 2 ** -14;

/**
 * How much more than the rounding of each result their intermediate results may lose. Coarser types lose it where they
 * are stored, and sums are in single precision.
 */
const roundingRoom = 64;
const coarseRoom = 16;

/**
 * Runs the model's file in ONNX Runtime, which shares nothing with our import, and compares.
 * @throws DiagnosticError for a build of ONNX Runtime that was asked for and is not there
 */
export async function compareWithOnnx(imported: ImportedRuns): Promise<OnnxComparison> {
  // Outside of the guard below: a build that was asked for by name, and is not there, is the user's to correct.
  await runtimeInfo();
  try {
    const session = await openOnnxSession(imported.file);
    try {
      return await compareRuns(imported, session);
    } finally {
      await session.release();
    }
  } catch (error) {
    // It may lack an operator or a type: then its answer is unknown, and the caller says so.
    return { unavailable: reasonOf(error) };
  }
}

/** ONNX Runtime's own words where it cannot run the file; otherwise those of the refusal. */
function reasonOf(error: unknown): string {
  const [first] =
    (error as { readonly diagnostics?: readonly { readonly because?: readonly string[] }[] }).diagnostics ?? [];
  return (first?.because?.[0] ?? (error as Error).message).split("\n")[0]!;
}

async function compareRuns(imported: ImportedRuns, session: OnnxSession): Promise<OnnxComparison> {
  const missing = session.inputNames.find((name) => imported.runs.some(({ inputs }) => !inputs.has(name)));
  if (missing !== undefined) return { unavailable: `no calibration input has "${missing}"` };
  const found = new Map<string, ImportDifference>();
  for (const run of imported.runs) {
    const common = session.tensorOutputs.filter((name) => run.outputs.has(name));
    const answers = common.length > 0 ? await session.run(run.inputs, common) : new Map<string, TypedTensor>();
    for (const each of differencesOf(imported, run, answers)) {
      const known = found.get(each.output);
      const worst = !known || excessOf(each) > excessOf(known) ? each : known;
      found.set(each.output, { ...worst, largest: Math.max(each.largest, known?.largest ?? 0) });
    }
  }
  const { name, version } = await runtimeInfo();
  return {
    runtime: { name, version },
    ...(imported.withoutAdapter && { withoutAdapter: true }),
    outputs: [...found.values()],
  };
}

const roomFor = (coarser: number): number => (coarser === 1 ? roundingRoom : coarseRoom * coarser);

const excessOf = ({ difference, allowed }: ImportDifference): number => difference - allowed;

function differencesOf(
  { rounded, undecided, coarser }: ImportedRuns,
  run: VerificationRun,
  answers: ReadonlyMap<string, TypedTensor>,
): readonly ImportDifference[] {
  const exactOf = (output: string): Tensor => run.outputs.get(output)!;
  const first = [...answers].map(([output, { dtype, tensor }]): ImportDifference => {
    const exact = exactOf(output);
    const largest = dtype.startsWith("float") ? largestOf(exact) : 0;
    return { output, difference: apart(exact, tensor), allowed: roundingPart * largest, largest };
  });
  const explains = (all: readonly ImportDifference[]): boolean => all.every((each) => excessOf(each) <= 0);
  if (explains(first)) return first;
  const single = rounded(run);
  const room = roomFor(coarser());
  const second = first.map((each): ImportDifference => {
    const own = room * apart(exactOf(each.output), single.get(each.output)!);
    return { ...each, allowed: Math.max(each.allowed, own) };
  });
  if (explains(second)) return second;
  // A decision may fall otherwise in another order of operations, and then no rounding explains the difference.
  const either = undecided(run, room);
  return second.map((each) => ({
    ...each,
    difference: apart(exactOf(each.output), answers.get(each.output)!.tensor, either.get(each.output)),
  }));
}

const largestOf = ({ data }: Tensor): number => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/**
 * Equal infinities and NaN on both sides are no difference; a number against one of them is. `either`: what a decision
 * explains, by element.
 */
function apart(a: Tensor, b: Tensor, either?: Float64Array): number {
  if (!sameShape(a.shape, b.shape)) return Infinity;
  return a.data.reduce((most, x, k) => {
    const y = b.data[k]!;
    if (Object.is(x, y) || x === y) return most;
    const difference = Math.abs(x - y);
    return Number.isNaN(difference) ? Infinity : Math.max(most, difference - (either?.[k] ?? 0));
  }, 0);
}
