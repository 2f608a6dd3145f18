import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { outputBounds } from "../accuracy/index.ts";
import { type Manifest, type StagedBuild, stageBuild } from "../build/index.ts";
import type { Compilation } from "../compile/index.ts";
import { costReport } from "../report/cost/index.ts";

import { compareWithOnnx, nearPart, type OnnxComparison, type VerifiedOutput, verifyBuild } from "../run/index.ts";
import { advisingFit, problemsOf, problemsOfDrawn, remediesOf } from "./accuracy-problems.ts";
import { unevenFeatures } from "./uneven-features.ts";

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
 * @throws DiagnosticError what `problemsOf` finds in the answers; MRL0509 where float64
 *   itself is not what ONNX Runtime answers
 */
export async function verifyCompilation(
  folder: string,
  compilation: Verifiable,
  byHand = false,
): Promise<Verification> {
  const { manifest, referenceRuns, fileRuns } = compilation;
  const runs = referenceRuns(verifiedSamples);
  const onnxRuntime = await compareWithOnnx(fileRuns(runs));
  const verified = await verifyBuild(folder, manifest, runs, ({ module, weights }, shared) =>
    outputBounds(module, weights, shared),
  ).catch((error: unknown) => {
    throw advisingFit(error, compilation);
  });
  const ofArithmetic = manifest.numerics === "marill" ? verified : [];
  throwIfAny([
    ...otherThanOnnx(verified, onnxRuntime, manifest),
    ...problemsOf(ofArithmetic, manifest, remediesOf(compilation, byHand, unevenFeatures(runs))),
  ]);
  return { verified, onnxRuntime };
}

type Verifiable = Pick<
  Compilation,
  "manifest" | "referenceRuns" | "fileRuns" | "finerIsUseful" | "otherOptions" | "fittingOptions"
>;

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
  if (!isVerified(compilation, verify)) {
    refuseDrawn(compilation, verify, byHand, discard);
    return undefined;
  }
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

/** Without calibration inputs, what no answer of use comes of is refused all the same. */
function refuseDrawn(
  compilation: Compilation,
  verify: boolean | undefined,
  byHand: boolean | undefined,
  discard: () => void,
): void {
  if (compilation.manifest.calibration.samples > 0 || !(verify ?? isSmall(compilation))) return;
  const problems = problemsOfDrawn(compilation, byHand);
  if (problems.length > 0) discard();
  throwIfAny(problems);
}

/** Whether a build is verified before it is kept. */
export const isVerified = (
  compilation: Pick<Compilation, "module" | "manifest">,
  verify: boolean | undefined,
): boolean => compilation.manifest.calibration.samples > 0 && (verify ?? isSmall(compilation));

/** The same refusals for a build that nobody keeps: it lies in a temporary folder meanwhile. */
export async function verifyUnwritten(compilation: Compilation, options: VerifyStagedOptions): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "marillc-check-"));
  const discard = (): void => rmSync(dir, { recursive: true, force: true });
  try {
    const { folder } = stageBuild(join(dir, "build"), compilation.files);
    await verifyStaged({ folder, discard }, compilation, options);
  } finally {
    discard();
  }
}
