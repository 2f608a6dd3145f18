import { protocolRoundings, protocolSignatures } from "./protocol-signatures.ts";
import type { ParsedCall } from "./read-body.ts";
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
