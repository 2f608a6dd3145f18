export { fixedWeightMatmul } from "./arithmetic/fixed-weight.ts";
export { knownWeightMatmul, knownWeightMul } from "./arithmetic/known-weight.ts";
export { knownWeightConv } from "./arithmetic/known-weight-conv.ts";
export { knownWeightLowRank } from "./arithmetic/low-rank.ts";
export { maskedConv } from "./arithmetic/masked-conv.ts";
export { maskedMatmul } from "./arithmetic/masked-matmul.ts";
export { maskedMul } from "./arithmetic/masked-mul.ts";
export { seededHandOver, seededTakeOver } from "./boundary/handed-shares.ts";
export { oneWayReveal } from "./boundary/one-way-reveal.ts";
export { maskedOpen } from "./boundary/open.ts";
export { seededServerShare } from "./boundary/seeded-server-share.ts";
export { seededShare } from "./boundary/seeded-share.ts";
export { localCast } from "./comparison/local-cast.ts";
export { localNot } from "./comparison/local-not.ts";
export { maskedCompare, thresholdCompare } from "./comparison/masked-compare.ts";
export { localLogic, maskedLogic } from "./comparison/masked-logic.ts";
export { bitWhere, maskedWhere, maskedWhereElse, maskedWherePublic } from "./comparison/masked-where.ts";
export { maskedAbs, thresholdSign } from "./comparison/sign-and-abs.ts";
export { thresholdOutside } from "./comparison/threshold-outside.ts";
export { a2bCast } from "./families/a2b/a2b-cast.ts";
export { a2bCompare, a2bComparePublic } from "./families/a2b/a2b-compare.ts";
export { a2bRelu } from "./families/a2b/a2b-relu.ts";
export { beaverWhere } from "./families/a2b/beaver-where.ts";
export { beaverMatmul, beaverWeightMatmul } from "./families/beaver/beaver-matmul.ts";
export { beaverMul, beaverWeightMul } from "./families/beaver/beaver-mul.ts";
export { beaverSquare } from "./families/beaver/beaver-square.ts";
export { openedSine } from "./families/beaver/opened-sine.ts";
export { replicatedCast, replicatedLogic, replicatedNot } from "./families/replicated/replicated-boolean.ts";
export {
  replicatedCompare,
  replicatedComparePublic,
  replicatedRelu,
} from "./families/replicated/replicated-compare.ts";
export { replicatedReveal, replicatedServerShare, replicatedShare } from "./families/replicated/replicated-io.ts";
export {
  replicatedMaximum,
  replicatedMaximumPublic,
  replicatedReduceMax,
} from "./families/replicated/replicated-max.ts";
export { replicatedMatmul, replicatedMul, replicatedSquare } from "./families/replicated/replicated-product.ts";
export { replicatedTruncate, replicatedTruncateUnchecked } from "./families/replicated/replicated-truncate.ts";
export { replicatedWeightMatmul, replicatedWeightMul } from "./families/replicated/replicated-weight.ts";
export {
  replicatedWhere,
  replicatedWhereElsePublic,
  replicatedWherePublic,
} from "./families/replicated/replicated-where.ts";
export { sigmaGelu, sigmaSilu } from "./families/sigma/sigma-activation.ts";
export { sigmaAttention } from "./families/sigma/sigma-attention.ts";
export { sigmaLayerNorm, sigmaRmsNorm } from "./families/sigma/sigma-norm.ts";
export { sigmaMatmul, sigmaMul, sigmaSharedMatmul, sigmaSharedMul } from "./families/sigma/sigma-product.ts";
export { sigmaTruncate, sigmaTruncateWithSlack } from "./families/sigma/sigma-truncate.ts";
export { dpfLookup } from "./lookup/dpf-lookup.ts";
export { otttLookup } from "./lookup/ottt-lookup.ts";
export { privateLookup } from "./lookup/private-lookup.ts";
export { thresholdClip } from "./nonlinear/clip.ts";
export { fourierErf } from "./nonlinear/fourier-erf.ts";
export { fourierGelu } from "./nonlinear/fourier-gelu.ts";
export { fourierSigmoid } from "./nonlinear/fourier-sigmoid.ts";
export { fourierSilu } from "./nonlinear/fourier-silu.ts";
export { fourierTanh } from "./nonlinear/fourier-tanh.ts";
export { maskedRelu } from "./nonlinear/masked-relu.ts";
export { oneOpeningLayerNorm, oneOpeningRmsNorm } from "./nonlinear/norm.ts";
export { rangeReducedLog, rangeReducedReciprocal, rangeReducedRsqrt } from "./nonlinear/range-reduced-functions.ts";
export { rangeReducedSqrt } from "./nonlinear/range-reduced-sqrt.ts";
export { separableExp } from "./nonlinear/separable-exp.ts";
export { tournamentArgmax } from "./ordering/argmax.ts";
export { maskedMaximum, maskedMinimum, thresholdMaximum, thresholdMinimum } from "./ordering/max-min.ts";
export { pairwiseRank } from "./ordering/rank.ts";
export { tournamentReduceMax, tournamentReduceMin } from "./ordering/reduce-max-min.ts";
export { tableSelectByRank } from "./ordering/select-by-rank.ts";
export { tournamentMaxPool } from "./ordering/tournament-max-pool.ts";
export { coarseMaxAttention, coarseMaxAttentionKnownMask } from "./softmax/attention.ts";
export { coarseMaxCachedAttention } from "./softmax/cached-attention.ts";
export { coarseMaxSoftmax } from "./softmax/softmax.ts";
export { bitExtend } from "./truncation/bit-extend.ts";
export { faithfulTruncate } from "./truncation/faithful-truncate.ts";
export { localTruncate } from "./truncation/local-truncate.ts";
export { maskedExtend } from "./truncation/masked-extend.ts";
export { sameRingTruncate } from "./truncation/same-ring-truncate.ts";
