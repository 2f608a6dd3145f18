import type { Op } from "../../ir/module.ts";
import { opDef } from "../../ir/registry.ts";
import { hasData } from "../../ir/tensor.ts";
import { bitsFor, type FixedPoint } from "../../ir/type.ts";
import { type ParamUse, publicForm, serverForm } from "./param-forms.ts";
import { type ScaleState, scaleAt } from "./scale-rules.ts";
import { weightScale } from "./weight-bounds.ts";

/** Bits of a product with a private weight: the interpreter is exact below 2^53. */
const productBits = 50;

/** The form of a param where an operator wants it with `wanted` fractional bits. */
export function formOf(op: Op, index: number, wanted: number, use: ParamUse, walk: ScaleState): FixedPoint {
  const { module, weights, calibration, precision } = walk;
  const [id, def] = [op.operands[index]!, opDef(op.name)];
  const weight = weights.get(module.params[id]!)!;
  const isServer = module.values[id]!.type.label === "server" || !hasData(weight);
  if (isServer) {
    const isFactor = use === "factor" && wanted === precision.weight;
    const own = isFactor ? Math.max(wanted, Math.min(factorScale(op, index, walk), factorRoom(op, walk))) : wanted;
    const scale = isFactor ? Math.max(own, walk.fine.scaleOfThreshold(id) ?? 0) : own;
    return serverForm(scale, calibration.ranges.get(id)!.hi, use);
  }
  // Tables that an op uses together must have one scale, as the cosines and sines of rope.
  const alone = def.operands.length === 2;
  return publicForm(weight, wanted, use === "factor" && alone ? "factor" : "addend", precision.significant);
}

/**
 * Fractional bits of a private factor: as many as its public magnitude asks for. Matrices that are multiplied side by
 * side have one scale, so that their products have one.
 */
function factorScale({ name, operands }: Op, index: number, { precision, calibration }: ScaleState): number {
  const beside = name === "low-rank" && index > 1 ? operands.slice(2) : [operands[index]!];
  const magnitudes = beside.map((id) => calibration.magnitudes?.get(id) ?? 0);
  return weightScale(Math.max(...magnitudes), precision);
}

/** Fractional bits that each factor may have, so that the product fits `productBits`. */
function factorRoom({ name, operands, result }: Op, walk: ScaleState): number {
  const shared = operands.map((id) => scaleAt(id, walk) ?? 0).reduce((sum, scale) => sum + scale, 0);
  const room = productBits - bitsFor(walk.calibration.ranges.get(result)!, Math.min(shared, walk.precision.activation));
  return Math.floor(room / (name === "low-rank" ? 2 : 1));
}
