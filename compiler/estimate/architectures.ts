/** The parameters that determine the cost of a transformer: sizes and kinds, no weights. */
export interface Architecture {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  /** Number of key and value heads; fewer than `heads` where queries share them. */
  readonly keyHeads: number;
  /** Inner size of the feed-forward block. */
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly norm: "layer-norm" | "rms-norm";
  /** post: x = norm(x + f(x)), as BERT; pre: x = x + f(norm(x)). */
  readonly normPlacement: "pre" | "post";
  readonly activation: "gelu" | "gated-silu";
  readonly position: "learned" | "rotary";
  readonly causal: boolean;
  /** Whether products carry a bias. */
  readonly bias: boolean;
  /** What the client receives: next-token logits of the last position, or classes from the pooled first position. */
  readonly head: "logits" | { readonly classes: number };
}

type TransformerSizes = Pick<Architecture, "layers" | "hidden" | "heads" | "feedForward">;

const bert = (sizes: TransformerSizes): Architecture => ({
  ...sizes,
  keyHeads: sizes.heads,
  vocabulary: 30522,
  norm: "layer-norm",
  normPlacement: "post",
  activation: "gelu",
  position: "learned",
  causal: false,
  bias: true,
  head: { classes: 2 },
});

const gpt = (sizes: TransformerSizes): Architecture => ({
  ...bert(sizes),
  vocabulary: 50257,
  normPlacement: "pre",
  causal: true,
  head: "logits",
});

const llama = (sizes: TransformerSizes): Architecture => ({
  ...gpt(sizes),
  vocabulary: 32000,
  norm: "rms-norm",
  activation: "gated-silu",
  position: "rotary",
  bias: false,
});

/**
 * Sizes from the models' published configurations: BERT (Devlin et al., NAACL 2019; BERT-tiny: Turc et al., 2019),
 * GPT-2 (Radford et al., 2019), GPT-Neo (EleutherAI; its local layers attend to 256 positions, so up to that length to all),
 * LLaMA (Touvron et al., 2023), OpenLLaMA (Geng and Liu, 2023; its second version has the same sizes).
 */
export const architectures = {
  "bert-tiny": bert({ layers: 2, hidden: 128, heads: 2, feedForward: 512 }),
  "bert-base": bert({ layers: 12, hidden: 768, heads: 12, feedForward: 3072 }),
  "bert-large": bert({ layers: 24, hidden: 1024, heads: 16, feedForward: 4096 }),
  gpt2: gpt({ layers: 12, hidden: 768, heads: 12, feedForward: 3072 }),
  "gpt-neo-1.3b": gpt({ layers: 24, hidden: 2048, heads: 16, feedForward: 8192 }),
  /** No published model: small enough to run with everything private. */
  "llama-tiny": { ...llama({ layers: 4, hidden: 128, heads: 8, feedForward: 344 }), vocabulary: 512 },
  "llama-7b": llama({ layers: 32, hidden: 4096, heads: 32, feedForward: 11008 }),
  "open-llama-3b": llama({ layers: 26, hidden: 3200, heads: 32, feedForward: 8640 }),
} as const satisfies Readonly<Record<string, Architecture>>;

export type ArchitectureName = keyof typeof architectures;
export const architectureNames = Object.keys(architectures) as readonly ArchitectureName[];
