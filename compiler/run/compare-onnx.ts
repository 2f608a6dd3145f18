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
      if (!known || excessOf(each) > excessOf(known)) found.set(each.output, each);
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
  { rounded, coarser }: ImportedRuns,
  run: VerificationRun,
  answers: ReadonlyMap<string, TypedTensor>,
): readonly ImportDifference[] {
  const first = [...answers].map(([output, { tensor }]): ImportDifference => {
    const exact = run.outputs.get(output)!;
    return { output, difference: apart(exact, tensor), allowed: roundingPart * largestOf(exact) };
  });
  if (first.every((each) => excessOf(each) <= 0)) return first;
  const single = rounded(run);
  const room = roomFor(coarser());
  return first.map(({ output, difference, allowed }) => {
    const own = room * apart(run.outputs.get(output)!, single.get(output)!);
    return { output, difference, allowed: Math.max(allowed, own) };
  });
}

const largestOf = ({ data }: Tensor): number => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** Equal infinities and NaN on both sides are no difference; a number against one of them is. */
function apart(a: Tensor, b: Tensor): number {
  if (!sameShape(a.shape, b.shape)) return Infinity;
  return a.data.reduce((most, x, k) => {
    const y = b.data[k]!;
    if (Object.is(x, y) || x === y) return most;
    const difference = Math.abs(x - y);
    return Number.isNaN(difference) ? Infinity : Math.max(most, difference);
  }, 0);
}
