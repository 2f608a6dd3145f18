import type { Manifest } from "../../build/index.ts";
import {
  comparesNothing,
  declaresNothing,
  type ImportDifference,
  nearnessOf,
  type OnnxComparison,
  type VerifiedOutput,
} from "../../run/index.ts";
import { textTable } from "./text-table.ts";

/** What `compile` prints of a verified build; empty if it was not verified. */
export function verifiedText(verified: readonly VerifiedOutput[] | undefined, onnxRuntime?: OnnxComparison): string {
  if (!verified || verified.length === 0) return "";
  const compared = onnxRuntime && "outputs" in onnxRuntime ? onnxRuntime.outputs : [];
  const short = (x: number | undefined): string => (x === undefined ? "" : x.toPrecision(2));
  const rows = verified.map(({ output, largest, differing, ...errors }) => [
    ...[output, short(largest)],
    ...(comparesNothing({ output, largest, ...errors })
      ? ["none compared", "", ""]
      : differing
        ? [`${differing.count} of ${differing.of} differ`, "", ""]
        : [short(errors.secureError), short(errors.relativeError), short(errors.plainError)]),
    ...[short(errors.declared), short(compared.find((each) => each.output === output)?.difference)],
  ]);
  const titles = ["largest value", "secure error", "relative", "plain error", "declared", "ONNX Runtime's error"];
  const numbers = titles.map((title) => ({ title, right: true as const }));
  const warnings = [...verified.flatMap(warningsOf), ...compared.flatMap(otherThanOnnx)];
  const lines = [...(onnxRuntime ? [comparisonText(onnxRuntime)] : []), ...warnings.map((line) => `warning: ${line}`)];
  return `\n${textTable([{ title: "output, against float64" }, ...numbers], rows)}${lines.map((line) => `${line}\n`).join("")}`;
}

function comparisonText(comparison: OnnxComparison): string {
  if ("unavailable" in comparison) return `not compared with ONNX Runtime: ${comparison.unavailable}`;
  const { runtime, withoutAdapter, outputs } = comparison;
  const rest = outputs.length === 0 ? ", which gives none of these outputs as a tensor" : "";
  const what = withoutAdapter ? " of the model without its adapter" : "";
  return `float64${what} compared with ONNX Runtime ${runtime.version} (${runtime.name})${rest}`;
}

/** A difference that is too small to refuse, and larger than the rounding of ONNX Runtime. */
const otherThanOnnx = ({ output, difference, allowed }: ImportDifference): readonly string[] =>
  difference <= allowed
    ? []
    : [
        `${output} in float64 is ${difference.toPrecision(2)} from ONNX Runtime's answer, where rounding to float32 explains ${allowed.toPrecision(2)}: please report it with the model`,
      ];

/** What the numbers of a row mean to a reader who does not compare them. */
function warningsOf({ output, largest, relativeError = 0, declared = 0, ...more }: VerifiedOutput): readonly string[] {
  const coarse = nearnessOf({ largest, relativeError }) !== "near";
  return [
    ...(more.undecided
      ? [
          `${more.undecided.count} of ${more.undecided.of} elements of ${output} depend on a decision that may go either way (docs/precision.md); ${otherwiseText(more.undecided)}`,
        ]
      : []),
    ...(coarse
      ? [
          `${output} is off by ${relativeError.toPrecision(2)} of its largest value, more than 2^-9: a finer --quality, or features near 1, bring it nearer`,
        ]
      : []),
    ...(!more.differing && declaresNothing(declared, largest)
      ? [`the declared error of ${output} is as large as its largest value: it says nothing`]
      : []),
  ];
}

const otherwiseText = ({ otherwise, farthest }: NonNullable<VerifiedOutput["undecided"]>): string =>
  otherwise === 0
    ? "on the calibration inputs none of them differs from float64"
    : `${otherwise} of them did, by up to ${farthest.toPrecision(2)}: --quality precise, or features near 1, leave fewer`;

/** What is how near to what, where a decision may go either way. */
const nearness: Readonly<Record<string, string>> = {
  compare: "numbers at most % apart",
  argmax: "elements at most % apart",
  rank: "elements at most % apart",
  sign: "a number at most % from 0",
};

/** Published exponents reach from -64 to 63: the ends stand for no error at all, and for one that is unknown. */
const isUnknown = (bound: number): boolean => bound >= 2 ** 63;
const isNone = (bound: number): boolean => bound <= 2 ** -64;

/** Decisions shown of a list that may have one for each layer. */
const maxDecisions = 8;

/** One line for each decision that errors may change; empty if there are none. */
export function decisionsText(decisions: Manifest["decisions"] = []): string {
  const near = decisions.filter(({ distance }) => !isNone(distance));
  const lines = near.map(({ operator, at, distance, outputs, published }) => {
    const apart = (nearness[operator] ?? "a number at most % from an integer").replace("%", String(distance));
    const what = isUnknown(distance) ? "any number, since errors leave the rings," : apart;
    const then = outputs.map(({ tensor, differs }) => `${tensor} may then differ by up to ${differs}`).join(", ");
    return `decision ${at} (${operator}): ${what} may go either way; ${then}${published ? " (published, with private weights)" : ""}\n`;
  });
  const more = lines.length - maxDecisions;
  return [...lines.slice(0, maxDecisions), ...(more > 0 ? [`${more} more decisions are in manifest.json\n`] : [])].join(
    "",
  );
}

/** One line for each output whose error the manifest declares, or why it declares none. */
export function declaredErrorsText(errors: Manifest["errors"] = [], preset?: string): string {
  if (preset !== undefined && preset !== "marill")
    return `declared errors: none, since the approximations of --preset ${preset} are no part of them\n`;
  if (errors.length === 0)
    return "declared error: none (no output of reals is revealed, or public weights leave the rings; --publish-ranges declares it from private ones)\n";
  const part = ({ declared, largest, published }: NonNullable<Manifest["errors"]>[0]): string =>
    (largest > 0
      ? `, ${(declared / largest).toPrecision(2)} of ${published ? "its public bound" : "the largest value on public inputs"}`
      : "") + (declaresNothing(declared, largest) ? ", which says nothing" : "");
  return errors
    .map(
      (each) =>
        `declared error of ${each.tensor}: ${isUnknown(each.declared) ? "none: errors may carry a value out of its ring" : `${each.declared}${part(each)}`} (${each.published ? "published, with private weights" : "with public weights"})\n`,
    )
    .join("");
}
