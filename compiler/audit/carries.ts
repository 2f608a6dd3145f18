import type { Finding } from "./finding.ts";
import { protocolRoundings, protocolSignatures } from "./protocol-signatures.ts";
import type { ParsedCall } from "./read-body.ts";
import type { ParsedManifest } from "./read-manifest.ts";
import type { ValueFlow } from "./track-values.ts";
import type { TrackedValue } from "./tracked-value.ts";

const scaleOf = (operands: readonly TrackedValue[]): number =>
  operands.reduce((sum, { type, label }) => (label === "shared" ? sum + type.scale : sum), 0);

/**
 * Whose roundings a result shows: those of its operands, or of the protocol that rounds it. A faithful truncation decides
 * every bit of its result by the value, so it hides which way the bits below were rounded, but for values next to a half.
 */
export function carriesOf(call: ParsedCall, scale: number, operands: readonly TrackedValue[]): ReadonlySet<string> {
  const rounds = call.kind === "protocol" ? protocolRoundings.get(call.callee) : undefined;
  if (rounds === "always" || (rounds === "scale" && scale < scaleOf(operands))) return new Set([call.callee]);
  if (call.kind === "protocol" && protocolSignatures.get(call.callee)?.operator === "truncate") return new Set();
  return new Set(operands.flatMap(({ carries = [] }) => [...carries]));
}

/** Operators whose result is an operand's value, a bound or a difference of values: they round nothing. */
const keepsValues: ReadonlySet<string> = new Set([
  ...["abs", "clip", "extend", "max-pool", "maximum", "minimum", "open", "reduce-max", "reduce-min", "relu"],
  ...["reveal", "select-by-rank", "where"],
]);

/**
 * The truncations that round a value last, where these are not faithful; local operators and those that select values
 * pass them on. Our own programs open no such value (SECURITY.md).
 */
export function unfaithfulTruncations(call: ParsedCall, operands: readonly TrackedValue[]): ReadonlySet<string> {
  const operator = call.kind === "protocol" ? protocolSignatures.get(call.callee)?.operator : undefined;
  if (operator === "truncate") return new Set(protocolRoundings.has(call.callee) ? [call.callee] : []);
  if (operator !== undefined && !keepsValues.has(operator)) return new Set();
  return new Set(operands.flatMap(({ truncatedBy = [] }) => [...truncatedBy]));
}

/** Systems whose numerics `--preset` rebuilds, with the truncations of their authors. */
const presets: readonly string[] = [
  ...["bumblebee", "crypten", "mpcformer", "mpcformer-2relu", "puma", "secformer", "shaft", "sigma", "sirnn"],
];

/** The published system whose numerics a build has; undefined: marillc's own. */
export const presetOf = ({ numerics = "marill" }: ParsedManifest): string | undefined =>
  numerics === "marill" ? undefined : numerics;

/** With numerics of our own, a faithful truncation is the last before every opening. */
export function checkRounding({ unfaithful }: ValueFlow, manifest: ParsedManifest, file: string): readonly Finding[] {
  const preset = presetOf(manifest);
  if (preset !== undefined && presets.includes(preset)) return [];
  return [
    ...(preset === undefined ? [] : [`the numerics ${JSON.stringify(preset)} are of no system that marillc rebuilds`]),
    ...[...unfaithful].map(
      ([value, protocols]) =>
        `${value} is opened as ${[...protocols].sort().join(", ")} rounded it, with no faithful truncation behind`,
    ),
  ].map((message) => ({ code: "MRL0917", message, at: file }));
}
