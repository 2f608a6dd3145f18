import { type Diagnostic, DiagnosticError } from "../../ir/diagnostic.ts";
import { leftRingCode } from "../../ir/interpret.ts";
import type { Manifest } from "../build/index.ts";
import type { Compilation } from "../compile/index.ts";
import { declaresNothing, isDecidedByErrors, nearnessOf, type VerifiedOutput } from "../run/index.ts";
import type { UnevenFeature } from "./uneven-features.ts";

/** What may bring the answers nearer, and what they were compared on. */
interface Remedies {
  readonly inputs: string;
  /** What to do where nothing that was tried helps. */
  readonly last: string;
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
export const problemsOf = (
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
  { finer, features, other, inputs, last }: Remedies,
): readonly Diagnostic[] {
  if (nearnessOf(verified) !== "useless") return [];
  const { output, secureError, largest } = verified;
  return [
    {
      code: "MRL0508",
      message: `output "${output}": expected an error of at most 1/32 of the largest value on ${inputs}, found ${secureError.toPrecision(2)} of ${largest.toPrecision(3)}`,
      at: name,
      because: ["large features or weights whose products cancel leave few bits to the output", ...reachesOf(features)],
      help: [...helpfulOf(features.length > 0 ? [other, finer] : [finer, other], last), accepting].join("; "),
    },
  ];
}

/** Most elements depend on a decision within its distance, and some are far from float64 since one fell otherwise. */
function decidedByErrors(
  verified: VerifiedOutput,
  { name }: Manifest,
  { finer, features, other, last }: Remedies,
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
      help: [...helpfulOf([finer, other], last), accepting].join("; "),
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

/** What the first of these says that was tried and works. */
const helpfulOf = (tried: readonly (() => readonly string[])[], last: string): readonly string[] => {
  for (const options of tried) {
    const found = options();
    if (found.length > 0) return found;
  }
  return [last];
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

type Tried = Pick<Compilation, "finerIsUseful" | "otherOptions">;

/** What is tried, where an output is refused, before it is told. */
export const remediesOf = (
  { finerIsUseful, otherOptions }: Tried,
  byHand = false,
  features: readonly UnevenFeature[] = [],
  [inputs, last]: readonly [inputs: string, last: string] = [
    "the calibration inputs",
    "scale the features of the model to magnitudes near 1, and train it on those",
  ],
): Remedies => ({
  ...{ inputs, last },
  features,
  finer: lazily(() => (finerIsUseful() ? [moreBits(byHand)] : [])),
  other: lazily(() => otherOptions().map((option) => `compile with ${option}`)),
});

/** The refusal of a value that leaves its ring on calibration inputs, with the options that were tried and keep it there. */
export function advisingFit(error: unknown, { fittingOptions }: Pick<Compilation, "fittingOptions">): unknown {
  if (!(error instanceof DiagnosticError) || error.diagnostics[0]?.code !== leftRingCode) return error;
  const options = fittingOptions().map((option) => `compile with ${option}`);
  if (options.length === 0) return error;
  return new DiagnosticError(error.diagnostics.map((each) => ({ ...each, help: options.join(", or ") })));
}

const withInputs = "compile with --calibrate <folder> of inputs, which tell how large each feature is";

/**
 * The same of a program without calibration inputs, which is compared with float64 on inputs that are drawn within their
 * bounds. Such inputs say nothing of a bound that is declared for others. An output that could not be compared is refused
 * where the declared error says nothing of it.
 */
export function problemsOfDrawn(
  compilation: Tried & Pick<Compilation, "manifest" | "drawnOutputs">,
  byHand?: boolean,
): readonly Diagnostic[] {
  const { manifest } = compilation;
  const outputs = compilation.drawnOutputs().map(({ output, error, largest, count, of, otherwise, farthest }) => ({
    ...{ output, largest, secureError: error, plainError: error, declared: Infinity },
    ...(largest > 0 && { relativeError: error / largest }),
    ...(count > 0 && { undecided: { count, of, otherwise, farthest } }),
  }));
  const compared = new Set(outputs.map(({ output }) => output));
  const remedies = remediesOf(compilation, byHand, [], ["inputs that were drawn within their bounds", withInputs]);
  const unknown = (manifest.errors ?? [])
    .filter(({ tensor, declared, largest }) => !compared.has(tensor) && declaresNothing(declared, largest))
    .map(({ tensor, declared, largest }) => ({
      code: "MRL0508",
      message: `output "${tensor}": expected a declared error below the largest value, found ${declared.toPrecision(2)} of ${largest.toPrecision(2)}, and no inputs to compare it on`,
      at: manifest.name,
      help: [withInputs, accepting].join("; "),
    }));
  return [...problemsOf(outputs, manifest, remedies), ...unknown];
}
