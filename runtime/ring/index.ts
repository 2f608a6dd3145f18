export { add, addConstant, addInteger, mul, mulConstant, mulInteger, neg, sub, xorWords } from "./arithmetic.ts";
export { bitAt, digit, lessThan, msb } from "./bits.ts";
export { broadcastShapes } from "./broadcast.ts";
export { fromIntegers, fromReal, residue, toIntegers, toReal } from "./convert.ts";
export { type Convolution, convolve, convolveInteger, sumWindows } from "./convolution.ts";
export { combineDigits, dropSingles, onesBelow, subsetProducts, withSingles } from "./digit-tables.ts";
export { exponentials } from "./exponential.ts";
export { type Corrections, growCorrections, leafBits, pointAbove, type Root, unitVector } from "./ggm.ts";
export { expandUnit, growUnit, levelsOf } from "./ggm-unit.ts";
export { harmonicsOf, maskHarmonics, openedHarmonics, type Series } from "./harmonics.ts";
export { canonicalise, kernel } from "./kernel.ts";
export { chosenSums, entriesFrom, turnedTables, unitVectors } from "./lookups.ts";
export { matmul, matmulInteger } from "./matmul.ts";
export { matmulIntegerPlain, matmulPlain } from "./matmul-plain.ts";
export { pack, unpack } from "./pack.ts";
export { floorLog2, powerOfTwo } from "./portable-math.ts";
export { reduceSum } from "./reduce.ts";
export { narrow, shiftLeft, shiftRight, shiftRightRounded, widen, widenSigned } from "./shift.ts";
export { concat, expand, gather, gatherFlat, reshape, scatterFlat, slice, transpose } from "./structure.ts";
export {
  ghost,
  type IntTensor,
  integers,
  lanesOf,
  packedBytes,
  type RingTensor,
  ring,
  type Shape,
  sizeOf,
  zeros,
} from "./tensor.ts";
export { layoutOf, type Windows } from "./windows.ts";
