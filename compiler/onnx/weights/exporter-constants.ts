/** What torch.export calls a tensor that the model's code writes out, wherever its module stands. */
const liftedTensorName = /(^|\.)(lifted_tensor_|_tensor_constant)\d+$/;

/** Functions of torch that make tensors of nothing, and those that go on from these; the exporter numbers their results. */
const tensorFunctions = new Set(
  (
    "val arange full new_full full_like ones new_ones ones_like zeros new_zeros zeros_like scalar_tensor eye linspace " +
    "tril triu _to_copy convert_element_type_default scalar_tensor_default clone alias inputs " +
    "unsqueeze squeeze expand view _unsafe_view reshape transpose permute slice select index gather cat stack repeat " +
    "repeat_interleave add sub mul div pow neg abs sqrt rsqrt reciprocal exp log log2 cos sin floor ceil max min maximum " +
    "minimum cumsum sum mean where masked_fill le lt ge gt eq ne logical_not logical_and logical_or bitwise_and " +
    "bitwise_or bitwise_not"
  ).split(" "),
);

const isTensorFunction = (name: string): boolean => tensorFunctions.has(name.replace(/_\d+$/, ""));

/** Whether a name is one that the exporter gives to what the code makes. */
export const isCodeConstantName = (name: string): boolean => liftedTensorName.test(name) || isTensorFunction(name);

/** Functions that make tensors of nothing but extents. */
const creationFunctions = new Set("arange full new_full ones new_ones zeros new_zeros eye linspace".split(" "));

/**
 * Whether a tensor comes from the model's code alone, so that nothing trained is in it: masks, and biases of places as
 * ALiBi has them. `name` is what the exporter calls it, `folded` what it says that it computed it from. A table that the
 * code writes out may be anything, trained as well: only a single number is taken for the code's, or what was computed
 * from it and a range of places.
 */
export function isCodeConstant(name: string, folded: readonly string[], isScalar: boolean): boolean {
  if (liftedTensorName.test(name)) return isScalar;
  const plain = folded.filter((each) => !liftedTensorName.test(each));
  if (folded.length === 0 || !plain.every(isTensorFunction)) return false;
  return (
    isScalar || plain.length === folded.length || plain.some((each) => creationFunctions.has(each.replace(/_\d+$/, "")))
  );
}
