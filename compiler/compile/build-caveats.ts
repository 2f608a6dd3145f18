import countBy from "lodash-es/countBy.js";
import { type PublishedBound, publishedBits } from "../../passes/4-quantize/index.ts";
import { openedRoundings } from "../../passes/5-select/index.ts";
import type { Manifest } from "../build/index.ts";
import type { ResolvedTarget } from "../load/index.ts";
import type { BuildInputs } from "./build-inputs.ts";
import { halfPrecisionCaveats } from "./half-precision.ts";
import { passedCaveats } from "./shared-values.ts";

/** What a reader of the manifest must know beside its numbers. */
export const caveatsOf = (
  { loaded, options, state, plan, decode, published }: BuildInputs,
  inexact: Manifest["inexact"],
): Manifest["caveats"] => {
  const { tails } = state.client;
  return [
    ...roundingCaveats(options.target.truncation, inexact),
    ...openedRoundings(state.module).map(
      (protocol) =>
        `what is opened is rounded by ${protocol}: whoever repeats a question sees bits that rounding drops`,
    ),
    ...halfPrecisionCaveats(loaded.model),
    "the client may share tensors that no input produces: the private part is a stronger oracle than the whole model",
    ...(state.server
      ? [
          "the server may share tensors that no input produces, and an output that the client reads depends on its inputs",
        ]
      : []),
    ...passedCaveats({ state, plan }),
    state.guard
      ? `the client learns one bit: whether a value of ${state.guard.layers.length} guarded layers left its range`
      : "values outside their calibrated ranges wrap and give wrong results: this build has no guard",
    ...(published.length > 0 ? [publishedCaveat(published)] : []),
    ...(decode ? ["generation with a cache reveals the length of the text to the server and the dealer"] : []),
    ...(tails.length > 0
      ? [`the client learns ${tails.map(({ source }) => source).join(", ")}, from which it computes the output`]
      : []),
  ];
};

/** `42 integers of 6 bits and 8 of 7`. */
const publishedCaveat = (published: readonly PublishedBound[]): string => {
  const widths = Object.entries(countBy(published, ({ bound }) => publishedBits(bound)));
  const listed = widths.map(([bits, count], k) =>
    k === 0 ? `${count} integers of ${bits} bits` : `${count} of ${bits}`,
  );
  return `measured with the private weights and public: ${listed.join(" and ")}, each the exponent of a bound (calibration.published)`;
};

/** How rounding bits are distributed, as far as a reader must know. */
function roundingCaveats(truncation: ResolvedTarget["truncation"], inexact: Manifest["inexact"]): readonly string[] {
  const carries = "are carries of share bits, not independent coins";
  if (truncation === "fast") return [`rounding bits of truncations within the network ${carries} (fast truncation)`];
  return inexact.length > 0 ? [`rounding bits within operators that have no exact protocol ${carries}`] : [];
}
