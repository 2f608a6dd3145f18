import { expect, it } from "vitest";
import { maskedMul } from "../../../runtime/protocols/arithmetic/masked-mul.ts";
import type { Protocol } from "../../../runtime/protocols/kit/define-protocol.ts";
import { fourierGelu } from "../../../runtime/protocols/nonlinear/fourier-gelu.ts";
import { fourierSigmoid } from "../../../runtime/protocols/nonlinear/fourier-sigmoid.ts";
import { maskedRelu } from "../../../runtime/protocols/nonlinear/masked-relu.ts";
import {
  rangeReducedLog,
  rangeReducedReciprocal,
  rangeReducedRsqrt,
} from "../../../runtime/protocols/nonlinear/range-reduced-functions.ts";
import { rangeReducedSqrt } from "../../../runtime/protocols/nonlinear/range-reduced-sqrt.ts";
import { maskedExtend } from "../../../runtime/protocols/truncation/masked-extend.ts";
import { declaredUlps, execute, fixed, quantizeToGrid, reals, worstUlps } from "../../harness/execute-protocol.ts";
import { gelu, sigmoid } from "../../harness/reference-functions.ts";

// Where `exactRings` is not set, a wire that another consumer wanted wider serves as well.
const cases: readonly (readonly [Protocol, (x: number) => number, lo: number])[] = [
  [maskedRelu, (x) => Math.max(x, 0), -16],
  [fourierGelu, gelu, -16],
  [fourierSigmoid, sigmoid, -16],
  [maskedExtend, (x) => x, -16],
  [rangeReducedLog, Math.log, 0.25],
  [rangeReducedReciprocal, (x) => 1 / x, 0.25],
  [rangeReducedRsqrt, (x) => 1 / Math.sqrt(x), 0.25],
  [rangeReducedSqrt, Math.sqrt, 0],
];

it.each(cases)("$name takes wires of 33 and 44 bits", (protocol, exact, lo) => {
  const spec = { operands: [fixed([50], 12, lo, 16)], result: fixed([50], 12, lo, 16, 48), attrs: {} };
  for (const width of [33, 44]) {
    const wider: Protocol = { ...protocol, operandWidths: () => [width] };
    const x = reals(50, lo, 16, width);
    const outcome = execute(wider, spec, [x], { trial: width });
    expect(outcome.metered).toEqual(outcome.counted);
    expect(worstUlps(outcome, quantizeToGrid(x, 12).map(exact))).toBeLessThanOrEqual(declaredUlps(protocol, spec));
  }
});

it("masked.mul takes two wider wires", () => {
  const spec = {
    operands: [fixed([50], 12, -16, 16), fixed([50], 12, -16, 16)],
    result: fixed([50], 12, -256, 256, 40),
    attrs: {},
  };
  const wider: Protocol = { ...maskedMul, operandWidths: () => [33, 50] };
  const x = reals(50, -16, 16);
  const y = reals(50, -16, 16, 2);
  const q = quantizeToGrid(y, 12);
  const exact = quantizeToGrid(x, 12).map((v, k) => v * q[k]!);
  expect(worstUlps(execute(wider, spec, [x, y]), exact)).toBeLessThanOrEqual(1);
});
