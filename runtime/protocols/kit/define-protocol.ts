import { requireOperands, requireResult } from "./checked-run.ts";
import type { Protocol, Spec } from "./protocol-types.ts";

export type { Family, Fixed, Operand, OperandForm, Protocol, Setting, Spec } from "./protocol-types.ts";

/** A protocol that compares what it is given and gives with the spec, before anything is sent. */
export const defineProtocol = (protocol: Protocol): Protocol => ({
  ...protocol,
  *run(party, spec, ...operands) {
    requireOperands(protocol, spec.operands, operands);
    const result = yield* protocol.run(party, spec, ...operands);
    requireResult(protocol, spec.result, result);
    return result;
  },
});

/** Most units in the last place between a protocol's result and the interpreter's. */
export const ulpsOf = ({ accuracy }: Protocol, spec: Spec, seen: Spec = spec): number =>
  accuracy === "exact" ? 0 : accuracy.ulps(spec, seen);

/** Whether the result equals the interpreter's bit for bit: some protocols are exact at equal scales only. */
export const isExact = (protocol: Protocol, spec: Spec): boolean =>
  ulpsOf(protocol, spec) === 0 && (protocol.failure?.(spec) ?? 0) === 0;
