import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { outputBounds } from "../accuracy/index.ts";
import { type Manifest, type StagedBuild, stageBuild } from "../build/index.ts";
import type { Compilation } from "../compile/index.ts";
import { costReport } from "../report/cost/index.ts";

import {
  compareWithOnnx,
  isDecidedByErrors,
  nearnessOf,
  nearPart,
  type OnnxComparison,
  type VerifiedOutput,
  verifyBuild,
} from "../run/index.ts";
import { type UnevenFeature, unevenFeatures } from "./uneven-features.ts";

/** Calibration samples that a build is verified on. */
const verifiedSamples = 4;

/** Multiply-adds of all parties for one query, below which a build is verified unless the options say otherwise. */
const smallWork = 2 ** 24;

/** Whether a query takes about a second in one process, so that verification is no burden. */
export function isSmall(
  { module, manifest }: Pick<Compilation, "module" | "manifest">,
  limit: number = smallWork,
): boolean {
  const { operators } = costReport(module, manifest.setting, manifest.programHash, []);
  const work = operators.flatMap(({ kernels }) => Object.values(kernels.multiplyAdds));
  return work.reduce((sum, each) => sum + each, 0) <= limit;
}

/** What a build was compared with on calibration samples. */
export interface Verification {
  /** Secure and plain answers against float64, by output. */
  readonly verified: readonly VerifiedOutput[];
  /** Float64 against ONNX Runtime, which shares nothing with our import of the model. */
  readonly onnxRuntime: OnnxComparison;
}

/**
 * Runs a build on calibration samples and compares its answers with float64, and those with ONNX Runtime. With our own arithmetic, an answer beyond
 * its declared error is refused, that of its own weights and that of the manifest, and so is one too far from float64 to
 * be of use. An element that depends on a decision within its distance may be right by either outcome. A preset has the
 * errors of the system that it follows.
 * @throws DiagnosticError MRL0508 for outputs beyond their declared errors, or far from float64; MRL0509 where float64
 *   itself is not what ONNX Runtime answers
 */
export async function verifyCompilation(
  folder: string,
  compilation: Verifiable,
  byHand = false,
): Promise<Verification> {
  const { manifest, referenceRuns, fileRuns, finerIsUseful, otherOptions } = compilation;
  const runs = referenceRuns(verifiedSamples);
  const onnxRuntime = await compareWithOnnx(fileRuns(runs));
  const verified = await verifyBuild(folder, manifest, runs, ({ module, weights }, shared) =>
    outputBounds(module, weights, shared),
  );
  const ofArithmetic = manifest.numerics === "marill" ? verified : [];
  throwIfAny([
    ...otherThanOnnx(verified, onnxRuntime, manifest),
    ...problemsOf(ofArithmetic, manifest, {
      finer: lazily(() => (finerIsUseful() ? [moreBits(byHand)] : [])),
      features: unevenFeatures(runs),
      other: lazily(() => otherOptions().map((option) => `compile with ${option}`)),
    }),
  ]);
  return { verified, onnxRuntime };
}

type Verifiable = Pick<Compilation, "manifest" | "referenceRuns" | "fileRuns" | "finerIsUseful" | "otherOptions">;

/** Outputs whose meaning in our import is another: by more than rounding, and than a build of good quality is off. */
function otherThanOnnx(
  verified: readonly VerifiedOutput[],
  comparison: OnnxComparison,
  { name }: Manifest,
): readonly Diagnostic[] {
  if ("unavailable" in comparison) return [];
  return verified.flatMap(({ output }): readonly Diagnostic[] => {
    const found = comparison.outputs.find((each) => each.output === output);
    // The answer may be the index of the likeliest element: what is compared is the model's own output.
    if (!found || found.difference <= Math.max(found.allowed, nearPart * found.largest)) return [];
    const { difference, allowed } = found;
    return [
      {
        code: "MRL0509",
        message: `output "${output}": expected the answer of ONNX Runtime ${comparison.runtime.version} within ${allowed.toPrecision(2)}, which rounding to float32 explains, found a difference of ${difference.toPrecision(2)} on the calibration inputs`,
        at: name,
        because: [
          "the compiler and ONNX Runtime read a node of the model in different ways: the build would answer the compiler's",
        ],
        help: "report it with the model; --no-verify accepts the difference",
      },
    ];
  });
}

/** What may bring the answers nearer. */
interface Remedies {
  /** More fractional bits, if they were tried and give answers of use. */
  readonly finer: () => readonly string[];
  readonly features: readonly UnevenFeature[];
  /** Options that bring features to one size or undo bits by hand, if they were tried and give answers of use. */
  readonly other: () => readonly string[];
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** One problem for each output: an answer of no use is told before the bound that it also exceeds. */
const problemsOf = (
  outputs: readonly VerifiedOutput[],
  manifest: Manifest,
  remedies: Remedies,
): readonly Diagnostic[] =>
  outputs.flatMap((verified) => {
    const decided = decidedByErrors(verified, manifest, remedies);
    if (decided.length > 0) return decided;
    if (verified.differing) return otherIntegers(verified, manifest, remedies);
    const far = farFromFloat(verified, manifest, remedies);
    return far.length > 0 ? far : beyondDeclared(verified, manifest, remedies);
  });

const accepting = "--no-verify accepts the error";

/** An integer is right, or depends on a decision that may go either way. */
function otherIntegers(
  { output, differing }: VerifiedOutput,
  { name, reveals }: Manifest,
  { finer }: Remedies,
): readonly Diagnostic[] {
  // What the client computes of a revealed value has the errors of that value.
  const isRevealed = reveals.some(({ tensor }) => tensor === output);
  if (!isRevealed || differing!.count === 0) return [];
  return [
    {
      code: "MRL0508",
      message: `output "${output}": expected integers that differ from float64 only where a decision is within its distance, found ${differing!.count} of ${differing!.of} that differ elsewhere`,
      at: name,
      help: [...finer(), accepting].join("; "),
    },
  ];
}

function farFromFloat(
  verified: VerifiedOutput,
  { name }: Manifest,
  { finer, features, other }: Remedies,
): readonly Diagnostic[] {
  if (nearnessOf(verified) !== "useless") return [];
  const { output, secureError, largest } = verified;
  return [
    {
      code: "MRL0508",
      message: `output "${output}": expected an error of at most 1/32 of the largest value on the calibration inputs, found ${secureError.toPrecision(2)} of ${largest.toPrecision(3)}`,
      at: name,
      because: ["large features or weights whose products cancel leave few bits to the output", ...reachesOf(features)],
      help: [...helpfulOf(features.length > 0 ? [other, finer] : [finer, other]), accepting].join("; "),
    },
  ];
}

/** Most elements depend on a decision within its distance, and some are far from float64 since one fell otherwise. */
function decidedByErrors(
  verified: VerifiedOutput,
  { name }: Manifest,
  { finer, features, other }: Remedies,
): readonly Diagnostic[] {
  const { output, undecided, declared, largest } = verified;
  // What the client computes of a revealed value is judged by that value, and has no declared error.
  if (declared === undefined || !undecided || !isDecidedByErrors(verified)) return [];
  const { count, of, otherwise, farthest } = undecided;
  return [
    {
      code: "MRL0508",
      message: `output "${output}": expected at most half of the elements to depend on a decision within its distance, found ${count} of ${of}, of which ${otherwise} differ from float64, by up to ${farthest.toPrecision(2)} of ${largest.toPrecision(3)}`,
      at: name,
      because: ["features are as near to thresholds as their errors", ...reachesOf(features)],
      help: [...helpfulOf([finer, other]), accepting].join("; "),
    },
  ];
}

const reachesOf = (features: readonly UnevenFeature[]): readonly string[] =>
  features
    .slice(0, mostNamed)
    .map(
      ({ input, feature, largest: most, least }) =>
        `feature ${feature} of ${input} reaches ${most.toPrecision(2)}, another ${least.toPrecision(2)}`,
    );

/** What the first of these says that was tried and works; where none does, the model has to change. */
const helpfulOf = (tried: readonly (() => readonly string[])[]): readonly string[] => {
  for (const options of tried) {
    const found = options();
    if (found.length > 0) return found;
  }
  return ["scale the features of the model to magnitudes near 1, and train it on those"];
};

/** How many features one message names. */
const mostNamed = 4;

/** Bits by hand override those of any quality. */
const moreBits = (byHand: boolean): string =>
  byHand ? "compile with --quality precise, and without --precision" : "compile with --quality precise";

function beyondDeclared(verified: VerifiedOutput, { name }: Manifest, { finer }: Remedies): readonly Diagnostic[] {
  const { output, secureError, declared = Infinity, published = Infinity, largest } = verified;
  const [bound, whose, instead] =
    published < declared
      ? [
          published,
          " that the manifest declares",
          [
            "give a public --base, whose weights pass errors on as these do, or declare the error from private weights with --publish-ranges",
          ],
        ]
      : ([declared, "", finer()] as const);
  if (secureError <= bound) return [];
  return [
    {
      code: "MRL0508",
      message: `output "${output}": expected an error of at most ${bound.toPrecision(2)}${whose} on the calibration inputs, found ${secureError.toPrecision(2)} of values up to ${largest.toPrecision(3)}`,
      at: name,
      help: [...instead, accepting].join("; "),
    },
  ];
}

/** Takes what removes a folder that must not outlive the process, and returns what ends this duty. */
export type Guardian = (remove: () => void) => () => void;
export const unguarded: Guardian = () => () => {};

export interface VerifyStagedOptions {
  /** Default: for small models. */
  readonly verify: boolean | undefined;
  readonly guardian: Guardian;
  /** Whether fractional bits are given by hand: then no quality changes them. */
  readonly byHand?: boolean;
}

/** Verifies a build before it replaces an earlier one, if that is wanted and there are samples: a failure discards it. */
export async function verifyStaged(
  { folder, discard }: Pick<StagedBuild, "folder" | "discard">,
  compilation: Compilation,
  { verify, guardian, byHand }: VerifyStagedOptions,
): Promise<Verification | undefined> {
  if (!isVerified(compilation, verify)) return undefined;
  const forget = guardian(discard);
  try {
    return await verifyCompilation(folder, compilation, byHand);
  } catch (error) {
    discard();
    throw error;
  } finally {
    forget();
  }
}

/** Whether a build is verified before it is kept. */
export const isVerified = (
  compilation: Pick<Compilation, "module" | "manifest">,
  verify: boolean | undefined,
): boolean => compilation.manifest.calibration.samples > 0 && (verify ?? isSmall(compilation));

/** The same refusals for a build that nobody keeps: it lies in a temporary folder meanwhile. */
export async function verifyUnwritten(compilation: Compilation, options: VerifyStagedOptions): Promise<void> {
  if (!isVerified(compilation, options.verify)) return;
  const dir = mkdtempSync(join(tmpdir(), "marillc-check-"));
  const discard = (): void => rmSync(dir, { recursive: true, force: true });
  try {
    const { folder } = stageBuild(join(dir, "build"), compilation.files);
    await verifyStaged({ folder, discard }, compilation, options);
  } finally {
    discard();
  }
}
