export {
  add,
  addConstant,
  addInteger,
  filled,
  mul,
  mulConstant,
  mulInteger,
  neg,
  sub,
  xorWords,
} from "./arithmetic.ts";
export { bitAt, extractBits, lessThan, msb } from "./bits.ts";
export { broadcastShapes } from "./broadcast.ts";
export { fromIntegers, fromReal, residue, toIntegers, toReal } from "./convert.ts";
export { type ConvolutionGeometry, convolve, convolveInteger, sumWindows } from "./convolution.ts";
export { computeNow } from "./deferred.ts";
export { combineDigits, dropSingles, onesBelow, subsetProducts, withSingles } from "./digit-tables.ts";
export { exponentials } from "./exponential.ts";
export { type GgmCorrections, type GgmRoot, generateCorrections, isBelowPoint, leafBits, unitVector } from "./ggm.ts";
export { expandUnitVectors, generateUnitCorrections, treeDepth } from "./ggm-unit-vectors.ts";
export { harmonicsOf, maskHarmonics, openedHarmonics, type Series } from "./harmonics.ts";
export { clearHighBits, kernel } from "./kernel.ts";
export { concat, expand, gather, gatherFlat, reshape, scatterFlat, slice, transpose } from "./layout-ops.ts";
export { entriesFrom, reversedTables, selectedSums, unitVectors } from "./lookups.ts";
export { matmul, matmulInteger } from "./matmul.ts";
export { matmulIntegerPlain, matmulPlain } from "./matmul-plain.ts";
export { pack, unpack } from "./pack.ts";
export { floorLog2, powerOfTwo } from "./portable-math.ts";
export { reduceSum } from "./reduce.ts";
export { narrow, shiftLeft, shiftRight, shiftRightRounded, widen, widenSigned } from "./shift.ts";
export {
  type IntTensor,
  intTensor,
  isMeta,
  lanesOf,
  metaTensor,
  packedBytes,
  type RingTensor,
  ringTensor,
  type Shape,
  sameShape,
  sizeOf,
  zeros,
} from "./tensor.ts";
export { type Windows, windowLayoutOf } from "./windows.ts";
