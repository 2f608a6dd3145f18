export { countProtocol, countSteps, noTraffic, type Traffic } from "./count.ts";
export {
  defineProtocol,
  type Family,
  type Fixed,
  isExact,
  type Operand,
  type OperandForm,
  type Protocol,
  type Setting,
  type Spec,
  ulpsOf,
} from "./define.ts";
export { bitToRing, select, sumOfSquares, wireBilinear, wireMatmul, wireProduct } from "./products.ts";
export { signedBits, wireWidth } from "./widths.ts";
export {
  at,
  coarse,
  difference,
  gate,
  joinWires,
  lift,
  mapWire,
  minusPower,
  narrowed,
  parts,
  plusPower,
  publicShare,
  raise,
  rescale,
  rescaledFrom,
  resize,
  rows,
  signed,
  stack,
  widenBit,
} from "./wires.ts";
