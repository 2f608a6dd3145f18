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
