/** Names that torch.export gives to tensors written out in the model's code, in any module. */
const liftedTensorName = /(^|\.)(lifted_tensor_|_tensor_constant)\d+$/;

/** Functions of torch that create tensors, and those applied to their results; the exporter numbers the outputs. */
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

/** Whether the exporter gives such a name to a value that the code creates. */
export const isCodeConstantName = (name: string): boolean => liftedTensorName.test(name) || isTensorFunction(name);

/** Functions that create tensors from a shape alone. */
const creationFunctions = new Set("arange full new_full ones new_ones zeros new_zeros eye linspace".split(" "));

/**
 * Whether a tensor comes from the model's code alone, so that it holds nothing trained: masks, and position biases such
 * as ALiBi's. `name` is the exporter's name, `folded` its note of the tensors that it computed this one from. A table
 * written out in the code may hold anything, also trained values: only a scalar counts as code, or a value computed
 * from it and a range of positions.
 */
export function isCodeConstant(name: string, folded: readonly string[], isScalar: boolean): boolean {
  if (liftedTensorName.test(name)) return isScalar;
  const plain = folded.filter((each) => !liftedTensorName.test(each));
  if (folded.length === 0 || !plain.every(isTensorFunction)) return false;
  return (
    isScalar || plain.length === folded.length || plain.some((each) => creationFunctions.has(each.replace(/_\d+$/, "")))
  );
}
