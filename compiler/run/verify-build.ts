import { type Tensor, tensor } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import { areDecidedByErrors, tinyOutput, usefulPart } from "../accuracy/index.ts";
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
  /**
   * Elements that depend on a decision within its distance. They count as right with either outcome: errors are beyond
   * what such a decision explains. Absent where there are none.
   */
  readonly undecided?: UndecidedElements;
}

interface UndecidedElements {
  readonly count: number;
  readonly of: number;
  /** Of these, the ones whose decision fell otherwise: beyond the declared error from float64. */
  readonly otherwise: number;
  /** How far the farthest of them is from float64. */
  readonly farthest: number;
}

/** Whether an output has no element with which an error was measured: all depend on decisions, and none is worse. */
export const comparesNothing = ({ undecided, secureError }: VerifiedOutput): boolean =>
  undecided?.count === undecided?.of && undecided !== undefined && secureError === 0;

/** Whether decisions make an output useless. */
export const isDecidedByErrors = ({ undecided, largest }: VerifiedOutput): boolean =>
  undecided !== undefined && areDecidedByErrors(undecided, largest);

/** Part of the largest value that an answer of the quality `balanced` may be off. */
export const nearPart = 2 ** -9;

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

/** How far an output may be from float64: by errors, and each element by decisions within their distances. */
export interface OutputBounds {
  readonly declared: number;
  readonly undecided: Float64Array;
}

/** First-order bounds on the outputs' errors for given shared inputs, by revealed value. */
export type BoundsOfOutputs = (
  plain: Pick<PlainProgram, "module" | "weights">,
  shared: ReadonlyMap<string, Tensor>,
) => ReadonlyMap<string, OutputBounds>;

/** Runs a build on each input, with all parties in this process and in the interpreter, and compares with float64. */
export async function verifyBuild(
  dir: string,
  manifest: Manifest,
  runs: readonly VerificationRun[],
  boundsOf: BoundsOfOutputs,
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
      const bounds = boundsByTensor(manifest, boundsOf(plain, await plain.shared(run.inputs)));
      for (const [output, given] of run.outputs) {
        const [own, fixed] = [secure.get(output), exactly.get(output)];
        const exact = own && asAnswered(given, own.tensor.shape);
        if (own && fixed && exact)
          found.set(output, widest(found.get(output), compare(output, exact, own, fixed, bounds.get(output))));
      }
    }
  } catch (error) {
    await Promise.all([session.abandon(), plain.release()]);
    throw error;
  }
  await session.end();
  await plain.release();
  return [...found.values()].map((each) => {
    const published = manifest.errors?.find(({ tensor }) => tensor === each.output)?.declared;
    return {
      ...withoutNone(each),
      ...(!each.differing &&
        each.largest > 0 &&
        !comparesNothing(each) && { relativeError: each.secureError / each.largest }),
      ...(published !== undefined && { published }),
    };
  });
}

/** What the model gives, in the form of the answer: `--head` may give the likeliest index for each row. */
function asAnswered(exact: Tensor, shape: Tensor["shape"]): Tensor | undefined {
  if (sameShape(exact.shape, shape)) return exact;
  if (!sameShape(exact.shape.slice(0, -1), shape)) return undefined;
  const width = exact.shape.at(-1)!;
  const likeliest = (row: number): number => {
    const elements = exact.data.subarray(row * width, (row + 1) * width);
    return elements.indexOf(Math.max(...elements));
  };
  return tensor(
    shape,
    Array.from({ length: exact.data.length / width }, (_, row) => likeliest(row)),
  );
}

function withoutNone({ undecided, ...rest }: VerifiedOutput): VerifiedOutput {
  return undecided && undecided.count > 0 ? { ...rest, undecided } : rest;
}

function compare(
  output: string,
  exact: Tensor,
  secure: TypedTensor,
  plain: TypedTensor,
  { declared, either }: ElementBounds = { either: () => 0 },
): VerifiedOutput {
  const error = ({ tensor }: TypedTensor): number =>
    exact.data.reduce((most, x, k) => Math.max(most, Math.abs(x - tensor.data[k]!) - either(k)), 0);
  const isInteger = secure.dtype !== "float32" && secure.dtype !== "float64";
  const distances = exact.data.map((x, k) => Math.abs(x - secure.tensor.data[k]!));
  const count = distances.filter((distance, k) => distance > either(k)).length;
  const largest = exact.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const open = distances.filter((_, k) => either(k) > (isInteger ? 0 : (declared ?? 0)));
  const otherwise = open.filter((distance) => distance > (isInteger ? 0 : (declared ?? nearPart * largest)));
  return {
    output,
    largest,
    secureError: error(secure),
    plainError: error(plain),
    ...(declared !== undefined && { declared }),
    ...(isInteger && { differing: { count, of: exact.data.length } }),
    undecided: {
      ...{ count: open.length, of: exact.data.length },
      ...{ otherwise: otherwise.length, farthest: otherwise.reduce((most, x) => Math.max(most, x), 0) },
    },
  };
}

function widest(known: VerifiedOutput | undefined, next: VerifiedOutput): VerifiedOutput {
  if (!known) return next;
  const sum = <T>(a: T | undefined, b: T | undefined, both: (a: T, b: T) => T): T | undefined =>
    a && b ? both(a, b) : (a ?? b);
  const counts = (a: ElementCount, b: ElementCount): ElementCount => ({ count: a.count + b.count, of: a.of + b.of });
  const differing = sum(known.differing, next.differing, counts);
  const undecided = sum(known.undecided, next.undecided, (a, b) => ({
    ...counts(a, b),
    otherwise: a.otherwise + b.otherwise,
    farthest: Math.max(a.farthest, b.farthest),
  }));
  const declared = Math.max(known.declared ?? -1, next.declared ?? -1);
  return {
    output: next.output,
    largest: Math.max(known.largest, next.largest),
    secureError: Math.max(known.secureError, next.secureError),
    plainError: Math.max(known.plainError, next.plainError),
    ...(declared >= 0 && { declared }),
    ...(differing && { differing }),
    ...(undecided && { undecided }),
  };
}

type ElementCount = NonNullable<VerifiedOutput["differing"]>;

interface ElementBounds {
  readonly declared?: number;
  /** What decisions within their distances explain, by element. */
  readonly either: (element: number) => number;
}

/** The bounds by tensor. What the client computes of an undecided one is undecided, and has no declared error. */
function boundsByTensor(
  { reveals, sharedOutputs = [], tails }: Manifest,
  bounds: ReadonlyMap<string, OutputBounds>,
): ReadonlyMap<string, ElementBounds> {
  const found = new Map<string, ElementBounds>();
  for (const { value, tensor } of [...reveals, ...sharedOutputs]) {
    const { declared, undecided } = bounds.get(value)!;
    found.set(tensor, { declared, either: (k) => undecided[k]! });
    const isOpen = undecided.some((x) => x > 0);
    for (const { from, output } of tails) if (isOpen && from === tensor) found.set(output, { either: () => Infinity });
  }
  return found;
}
