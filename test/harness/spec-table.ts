/**
 * At least 30 specs of every protocol, drawn systematically: ranks, single elements, odd sizes and widths, other
 * rings and scales. Tests that hold for all protocols loop over the registry and take their specs from here.
 *
 * A new protocol adds one entry to the rows of its subject, under its name:
 * - elementwise:            "x.op": elementwise(unary({ lo, hi }))                     one operand
 *                           "x.op": elementwise(binary({ ... }))                       two that broadcast
 * - over the last axis:     "x.op": rowwise((shape, number) => spec)
 * - anything else:          "x.op": { specs: [...], draws: (spec) => independent masks }
 * A spec that the protocol refuses is left out; the test fails if fewer than 30 remain. `inputs` supplies reals for the
 * operands where uniform ones in [lo, hi] would leave the bounds that the attributes promise; `attrs` are the
 * protocol's own. The operator's table in ir/ops gives the expected result.
 */
import { opDef, withDefaults } from "../../ir/registry.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Protocol, Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { sizeOf } from "../../runtime/ring/tensor.ts";
import { cryptenRows } from "./crypten-specs.ts";
import { declaredUlps, quantizeToGrid, reals, resolveWidths } from "./execute-protocol.ts";
import { maskedValueRows } from "./masked-value-specs.ts";
import { nonlinearRows } from "./nonlinear-specs.ts";
import { orderingRows } from "./ordering-specs.ts";
import { replicatedRows } from "./replicated-specs.ts";
import { sigmaRows } from "./sigma-specs.ts";
import type { ProtocolSpecs } from "./spec-grids.ts";

const rows: Readonly<Record<string, ProtocolSpecs>> = {
  ...maskedValueRows,
  ...nonlinearRows,
  ...orderingRows,
  ...cryptenRows,
  ...replicatedRows,
  ...sigmaRows,
};

/**
 * The specs of a protocol, without those that it refuses. @throws Error if it has no row, or fewer than 30 are left.
 */
export function specsOf(protocol: Protocol): ProtocolSpecs {
  const row = rows[protocol.name];
  if (!row)
    throw new Error(`expected specs of ${protocol.name}, found none: add an entry to test/harness/spec-table.ts`);
  const specs = row.specs.filter((spec) => {
    const widths = protocol.operandWidths(spec);
    return !protocol.refuses?.({ ...spec, operands: spec.operands.map((x, k) => ({ ...x, width: widths[k]! })) });
  });
  if (specs.length < 30)
    throw new Error(`expected at least 30 specs that ${protocol.name} accepts, found ${specs.length}`);
  return { ...row, specs };
}

/** Reals for the operands, on the grids of their scales. */
export function inputsOf({ inputs }: ProtocolSpecs, spec: Spec, trial: number): readonly Float64Array[] {
  const drawn =
    inputs?.(spec, trial) ??
    spec.operands.map((x, k) => reals(sizeOf(x.shape), x.lo, x.hi, trial * spec.operands.length + k));
  return drawn.map((x, k) => quantizeToGrid(x, spec.operands[k]!.scale));
}

/**
 * The result by the operator's table: on integers, as the interpreter computes it, if the protocol is exact; else the
 * real function.
 */
export function expectedOf(protocol: Protocol, spec: Spec, inputs: readonly Float64Array[]): Float64Array {
  const def = opDef(protocol.implements);
  const attrs = withDefaults(def, spec.attrs);
  const real = inputs.map((data, k): Tensor => ({ shape: spec.operands[k]!.shape, data }));
  const { scale } = resolveWidths(protocol, spec).result;
  if (declaredUlps(protocol, spec) > 0) return def.evaluate(real, attrs).data;
  const scales = spec.operands.map((operand) => operand.scale);
  const raw = real.map(({ shape, data }, k) => ({ shape, data: data.map((v) => v * 2 ** scales[k]!) }));
  if (typeof def.fixed === "function") return def.fixed(raw, attrs, scales, scale).data.map((v) => v / 2 ** scale);
  if (def.fixed === "integers") return def.evaluate(raw, attrs).data.map((v) => v / 2 ** scale);
  return quantizeToGrid(def.evaluate(real, attrs).data, scale);
}
