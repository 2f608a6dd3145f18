import type { Tensor } from "../../ir/tensor.ts";
import type { Manifest } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { keptOutputs } from "./handed-shares.ts";
import { openLocal } from "./local-session.ts";
import { openPlain, type PlainProgram } from "./plain.ts";

/** Errors of one output over all runs, in its own units. They follow from private weights: for the provider alone. */
export interface VerifiedOutput {
  readonly output: string;
  /** Largest magnitude in float64. */
  readonly largest: number;
  /** Largest difference of the secure run, and of the fixed-point interpreter, from float64. */
  readonly secureError: number;
  readonly plainError: number;
  /** The error of the secure run as a part of the largest magnitude; absent where that is 0, or for integers. */
  readonly relativeError?: number;
  /** Bound on both, from scales, protocols and depth; absent for an output that the client computes from a revealed one. */
  readonly declared?: number;
  /** What the manifest declares to everybody, from public weights. */
  readonly published?: number;
  /** For an output of integers: number of elements that differ, of so many. */
  readonly differing?: { readonly count: number; readonly of: number };
}

/** Parts of the largest value that an answer may be off: those of the quality `balanced`, and the most that is of use. */
export const nearPart = 2 ** -9;
const usefulPart = 2 ** -5;

/** An output below has few bits in absolute terms, whatever its model: it may be one that only its neighbours dwarf. */
const tinyOutput = 2 ** -9;

/** How near the answers of a build are to float64. */
export function nearnessOf({
  largest,
  relativeError = 0,
}: Pick<VerifiedOutput, "largest" | "relativeError">): "near" | "coarse" | "useless" {
  if (relativeError <= nearPart) return "near";
  return relativeError > usefulPart && largest >= tinyOutput ? "useless" : "coarse";
}

/** A bound as large as the output says nothing of it. */
export const declaresNothing = (declared: number, largest: number): boolean => declared > 0 && declared >= largest;

export interface VerificationRun {
  readonly inputs: ReadonlyMap<string, TypedTensor>;
  /** By output name, in float64. */
  readonly outputs: ReadonlyMap<string, Tensor>;
}

/** First-order bounds on the outputs' errors for given shared inputs, by revealed value. */
export type DeclaredErrors = (
  plain: Pick<PlainProgram, "module" | "weights">,
  shared: ReadonlyMap<string, Tensor>,
) => ReadonlyMap<string, number>;

/** Runs a build on each input, with all parties in this process and in the interpreter, and compares with float64. */
export async function verifyBuild(
  dir: string,
  manifest: Manifest,
  runs: readonly VerificationRun[],
  declaredErrors: DeclaredErrors,
): Promise<readonly VerifiedOutput[]> {
  const found = new Map<string, VerifiedOutput>();
  const plain = await openPlain(dir);
  const session = await openLocal({ dir, inProcess: true });
  try {
    for (const run of runs) {
      const { outputs, serverOutputs, residues } = await session.query(run.inputs);
      const secure = new Map([...keptOutputs(manifest, residues), ...serverOutputs, ...outputs]);
      const interpreted = await plain.run(run.inputs);
      const exactly = new Map([...interpreted.kept, ...interpreted.serverOutputs, ...interpreted.outputs]);
      for (const [output, exact] of run.outputs) {
        const [own, fixed] = [secure.get(output), exactly.get(output)];
        if (own && fixed) found.set(output, widest(found.get(output), compare(output, exact, own, fixed)));
      }
    }
  } catch (error) {
    await Promise.all([session.abandon(), plain.release()]);
    throw error;
  }
  await session.end();
  const bounds = await declaredBy(plain, manifest, runs, declaredErrors);
  await plain.release();
  return [...found.values()].map((each) => {
    const declared = bounds.get(each.output);
    const published = manifest.errors?.find(({ tensor }) => tensor === each.output)?.declared;
    return {
      ...each,
      ...(!each.differing && each.largest > 0 && { relativeError: each.secureError / each.largest }),
      ...(declared !== undefined && { declared }),
      ...(published !== undefined && { published }),
    };
  });
}

function compare(output: string, exact: Tensor, secure: TypedTensor, plain: TypedTensor): VerifiedOutput {
  const error = ({ tensor }: TypedTensor): number =>
    exact.data.reduce((most, x, k) => Math.max(most, Math.abs(x - tensor.data[k]!)), 0);
  const isInteger = secure.dtype !== "float32" && secure.dtype !== "float64";
  const count = exact.data.filter((x, k) => x !== secure.tensor.data[k]).length;
  return {
    output,
    largest: exact.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0),
    secureError: error(secure),
    plainError: error(plain),
    ...(isInteger && { differing: { count, of: exact.data.length } }),
  };
}

function widest(known: VerifiedOutput | undefined, next: VerifiedOutput): VerifiedOutput {
  if (!known) return next;
  const [a, b] = [known.differing, next.differing];
  return {
    output: next.output,
    largest: Math.max(known.largest, next.largest),
    secureError: Math.max(known.secureError, next.secureError),
    plainError: Math.max(known.plainError, next.plainError),
    ...(a && b && { differing: { count: a.count + b.count, of: a.of + b.of } }),
  };
}

/** The largest declared error of each output over the runs. */
async function declaredBy(
  plain: PlainProgram,
  { reveals, sharedOutputs = [] }: Manifest,
  runs: readonly VerificationRun[],
  declaredErrors: DeclaredErrors,
): Promise<ReadonlyMap<string, number>> {
  const names = new Map([...reveals, ...sharedOutputs].map(({ value, tensor }) => [value, tensor]));
  const bounds = new Map<string, number>();
  for (const { inputs } of runs) {
    for (const [value, bound] of declaredErrors(plain, await plain.shared(inputs))) {
      const name = names.get(value) ?? value;
      bounds.set(name, Math.max(bounds.get(name) ?? 0, bound));
    }
  }
  return bounds;
}
