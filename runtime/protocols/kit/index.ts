export { countProtocol, countSteps, noTraffic, type Traffic } from "./count-traffic.ts";
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
} from "./define-protocol.ts";
export {
  bilinearMasked,
  bitToRing,
  matmulMasked,
  multiplyMasked,
  selectMasked,
  sumOfSquares,
} from "./masked-products.ts";
export {
  addPowerOfTwo,
  concatMasked,
  dropLowBits,
  entryAt,
  gateByBit,
  liftToRing,
  mapMasked,
  maskTopBit,
  narrowMasked,
  negateByBit,
  publicConstant,
  publicParts,
  publicShare,
  rescale,
  resizeRing,
  scaleIntoRing,
  sliceRows,
  stack,
  subMasked,
  subPowerOfTwo,
  widthBeforeRescale,
} from "./masked-values.ts";
export { replayed } from "./replayed-count.ts";
export { maskedWidth, maxMagnitude, productDrop, signedBits } from "./ring-widths.ts";
