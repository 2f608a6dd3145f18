/** What torch.export calls a tensor that the model's code writes out, wherever its module stands. */
const lifted = /(^|\.)(lifted_tensor_|_tensor_constant)\d+$/;

/** Functions of torch that make tensors of nothing, and those that go on from these; the exporter numbers their results. */
const functions = new Set(
  (
    "val arange full new_full full_like ones new_ones ones_like zeros new_zeros zeros_like scalar_tensor eye linspace " +
    "tril triu _to_copy convert_element_type_default scalar_tensor_default clone alias inputs " +
    "unsqueeze squeeze expand view _unsafe_view reshape transpose permute slice select index gather cat stack repeat " +
    "repeat_interleave add sub mul div pow neg abs sqrt rsqrt reciprocal exp log log2 cos sin floor ceil max min maximum " +
    "minimum cumsum sum mean where masked_fill le lt ge gt eq ne logical_not logical_and logical_or bitwise_and " +
    "bitwise_or bitwise_not"
  ).split(" "),
);

const isFunction = (name: string): boolean => functions.has(name.replace(/_\d+$/, ""));

/**
 * Whether a tensor comes from the model's code alone, so that nothing trained is in it: masks, and biases of places as
 * ALiBi has them. `name` is what the exporter calls it, `folded` what it says that it computed it from.
 */
export const isFromCode = (name: string, folded: readonly string[]): boolean =>
  lifted.test(name) || (folded.length > 0 && folded.every((each) => lifted.test(each) || isFunction(each)));
