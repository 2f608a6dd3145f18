import { type Diagnostic, DiagnosticError, fail } from "../../ir/diagnostic.ts";
import type { Departure } from "../../passes/4-quantize/index.ts";
import type { Manifest } from "../build/index.ts";
import { shortNumber } from "./quantize-inputs.ts";

/** Layers that are named one by one; the first is the cause, as the others follow from it. */
const maxNamed = 3;

const advice =
  "run `marillc compile` with --calibrate and inputs like this one; give --no-guard to see the answer as it is";

/** What left its bounds, as one line. */
const departureText = ({ at, what, bounds: { lo, hi }, found }: Departure): string =>
  `${at}: expected ${what} in [${shortNumber(lo)}, ${shortNumber(hi)}], found ${shortNumber(found)}`;

/** The answer follows from values that wrapped, or may have: it looks like an answer and is none. */
export function untrustedAnswer(departures: readonly Departure[]): Diagnostic {
  // Every layer once, by what left its bounds there first.
  const layers = departures.filter(({ at }, k) => departures.findIndex((each) => each.at === at) === k);
  const [first, ...others] = layers;
  const more = others.length > 0 ? `, and those of ${others.length} layers behind it` : "";
  return {
    code: "MRL0816",
    message: `this answer cannot be trusted: values of layer ${first!.at} leave their public bounds${more}`,
    at: first!.at,
    because: layers.slice(0, maxNamed).map(departureText),
    help: advice,
  };
}

/** @throws DiagnosticError MRL0816 if anything left its bounds */
export function refuseUntrusted(departures: readonly Departure[]): void {
  if (departures.length > 0) throw new DiagnosticError([untrustedAnswer(departures)]);
}

/** The same where only the one bit of the guard is known: which value left its range stays hidden. */
function guardedAnswer({ guard }: Manifest): Diagnostic {
  const layers = guard!.layers;
  const others = layers.length > maxNamed ? [`and ${layers.length - maxNamed} more`] : [];
  return {
    code: "MRL0816",
    message: `this answer cannot be trusted: a value of one of ${layers.length} guarded layers left its range`,
    because: [...layers.slice(0, maxNamed), ...others],
    help: advice,
  };
}

/** @throws DiagnosticError MRL0816 */
export const refuseGuarded = (manifest: Manifest): never => fail(guardedAnswer(manifest));

/** One line, for an answer that is shown nevertheless. */
export const untrustedWarning = (manifest: Manifest): string => guardedAnswer(manifest).message;
