import { type Lowering, refuseNode } from "../../graph/index.ts";

interface ContribInterface {
  /** Inputs with a known meaning; no node has more. */
  readonly inputs: number;
  /** Attributes that are read, or that change no value. */
  readonly attrs: readonly string[];
}

const convolution = ["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];
const activation = ["activation", "activation_alpha", "activation_beta", "activation_gamma", "activation_params"];
const product = ["alpha", "transA", "transB"];
/** ONNX Runtime's value for masked scores; whatever it is, a masked key has no weight. */
const maskedScore = "mask_filter_value";
const skip = { attrs: ["epsilon"] };

/**
 * ONNX Runtime adds inputs and attributes to these operators without a new version. An unknown one may change every
 * value of the result, so it is refused. Source: schemas of ONNX Runtime 1.31 (get_all_operator_schema).
 */
const contribInterfaces: Readonly<Record<string, ContribInterface>> = {
  GroupQueryAttention: {
    inputs: 16,
    attrs: [
      ...["causal", "do_rotary", "k_quant_type", "kv_num_heads", "local_window_size", "num_heads", "qk_norm_epsilon"],
      ...["qk_output", "rotary_interleaved", "scale", "sliding_window_cache", "smooth_softmax", "softcap"],
      ...["v_quant_type", "kv_cache_bit_width"],
    ],
  },
  MultiHeadAttention: { inputs: 10, attrs: [maskedScore, "num_heads", "scale", "unidirectional"] },
  Attention: {
    inputs: 7,
    attrs: [
      ...["do_rotary", maskedScore, "num_heads", "past_present_share_buffer", "qkv_hidden_sizes"],
      ...["rotary_embedding_dim", "scale", "unidirectional"],
    ],
  },
  SkipLayerNormalization: { inputs: 5, ...skip },
  SkipSimplifiedLayerNormalization: { inputs: 4, ...skip },
  EmbedLayerNormalization: { inputs: 9, attrs: ["epsilon", "mask_index_type"] },
  RotaryEmbedding: {
    inputs: 4,
    attrs: ["interleaved", "is_packed_batching", "num_heads", "rotary_embedding_dim", "scale"],
  },
  Gelu: { inputs: 1, attrs: [] },
  BiasGelu: { inputs: 2, attrs: [] },
  FastGelu: { inputs: 2, attrs: [] },
  QuickGelu: { inputs: 1, attrs: ["alpha"] },
  FusedMatMul: { inputs: 2, attrs: [...product, "transBatchA", "transBatchB"] },
  TransposeMatMul: { inputs: 2, attrs: product },
  FusedConv: { inputs: 4, attrs: [...convolution, ...activation] },
  FusedGemm: { inputs: 3, attrs: [...product, "beta", ...activation] },
};

const prefix = "com.microsoft.";

/** Wraps a lowering with a check of inputs and attributes that it does not read. */
export function withInterfaceCheck([key, lowering]: readonly [string, Lowering]): readonly [string, Lowering] {
  const known = key.startsWith(prefix) ? contribInterfaces[key.slice(prefix.length)] : undefined;
  if (!known) return [key, lowering];
  const read = (context: Parameters<Lowering>[0]): ReturnType<Lowering> => {
    const { node, inputs } = context;
    const unread = [...node.attributes.keys()].find((name) => !known.attrs.includes(name));
    if (unread !== undefined) refuseNode(`the attribute ${unread}, which this version does not know`);
    const beyond = inputs.findIndex((input, index) => index >= known.inputs && input !== undefined);
    if (beyond >= 0) refuseNode(`the input ${beyond + 1}, which this version does not know`);
    return lowering(context);
  };
  return [key, read];
}
