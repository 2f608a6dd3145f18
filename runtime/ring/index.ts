export { add, addConstant, addInteger, mul, mulConstant, mulInteger, neg, sub, xorWords } from "./arithmetic.ts";
export { bitAt, digit, lessThan, msb } from "./bits.ts";
export { broadcastShapes } from "./broadcast.ts";
export { fromIntegers, fromReal, toIntegers, toReal } from "./convert.ts";
export { type Convolution, convolve, convolveInteger, sumWindows } from "./convolution.ts";
export { kernel } from "./kernel.ts";
export { matmul, matmulInteger } from "./matmul.ts";
export { matmulIntegerPlain, matmulPlain } from "./matmul-plain.ts";
export { pack, unpack } from "./pack.ts";
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
