import type { Role } from "../../../runtime/core/index.ts";
import type { Fixed, Spec } from "../../../runtime/protocols/kit/index.ts";
import { maskPatternOf, scoreLayout } from "../../../runtime/protocols/softmax/index.ts";
import { sizeOf } from "../../../runtime/ring/index.ts";
import type { OpCall } from "../../../targets/program/plan.ts";

/** Arithmetic of an operator for one query, offline and online together. */
export interface KernelWork {
  /** In matrix and elementwise products in the ring; all other work is linear in `elements`. */
  readonly multiplyAdds: Readonly<Record<Role, number>>;
  /** Size of the result. */
  readonly elements: number;
}

type WorkOf = (spec: Spec) => number;

const lowRankWork: WorkOf = ({ operands: [x, ...matrices] }) =>
  (sizeOf(x!.shape) / (x!.shape.at(-1) ?? 1)) * matrices.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
const matmulWork: WorkOf = ({ operands: [x], result }) => sizeOf(result.shape) * (x!.shape.at(-1) ?? 1);
/** Per element of the result: the channels of its group times the size of the kernel. */
const convWork: WorkOf = ({ operands: [, w], result }) => sizeOf(result.shape) * sizeOf(w!.shape.slice(1));
const mulWork: WorkOf = ({ result }) => sizeOf(result.shape);

/** q·kᵀ and weights·v, over the scores that are computed: a causal mask or a sliding window removes the others. */
const attentionWork: WorkOf = (spec) => {
  const [q, k, v] = spec.operands;
  const [batch, heads, positions, depth] = q!.shape as [number, number, number, number];
  const columns = k!.shape[2]!;
  const scores = scoreLayout(batch * heads * positions, positions, columns, maskPatternOf(spec)).flat.length;
  return scores * (depth + v!.shape[3]!);
};

/** The new queries with all keys and values, cached ones first. */
const cachedAttentionWork: WorkOf = ({ operands: [q, k, v, pastK, pastV], ...rest }) => {
  const whole = (past: Fixed, next: Fixed): Fixed => ({
    ...next,
    shape: next.shape.with(2, past.shape[2]! + next.shape[2]!),
  });
  return attentionWork({ ...rest, operands: [q!, whole(pastK!, k!), whole(pastV!, v!)] });
};

/** How often each party computes the product. The client's with a known weight, and the dealer's, are offline. */
const once = { client: 1, server: 1, dealer: 1 };
/** Two cross terms with own shares, online; the dealer computes the product of the masks. */
const masked = { client: 2, server: 2, dealer: 1 };
/** Two products of components at each of the three parties. */
const replicated = { client: 2, server: 2, dealer: 2 };
/** One component of a weight is 0 at the client and at the dealer. */
const replicatedWeight = { client: 1, server: 2, dealer: 1 };
/** Client and server on their own shares, without correlations. */
const local = { client: 1, server: 1, dealer: 0 };

interface ProductWork {
  readonly times: Readonly<Record<Role, number>>;
  readonly work: WorkOf;
}

/** By callee. A callee that is not listed computes no product of its own. */
const products: Readonly<Record<OpCall["callee"]["kind"], ReadonlyMap<string, ProductWork>>> = {
  protocol: new Map([
    ["beaverMatmul", { times: masked, work: matmulWork }],
    ["beaverMul", { times: masked, work: mulWork }],
    ["beaverSquare", { times: masked, work: mulWork }],
    ["beaverWeightMatmul", { times: masked, work: matmulWork }],
    ["beaverWeightMul", { times: masked, work: mulWork }],
    ["fixedWeightMatmul", { times: masked, work: matmulWork }],
    ["replicatedMatmul", { times: replicated, work: matmulWork }],
    ["replicatedMul", { times: replicated, work: mulWork }],
    ["replicatedSquare", { times: replicated, work: mulWork }],
    ["replicatedWeightMatmul", { times: replicatedWeight, work: matmulWork }],
    ["replicatedWeightMul", { times: replicatedWeight, work: mulWork }],
    ["knownWeightConv", { times: once, work: convWork }],
    ["knownWeightLowRank", { times: once, work: lowRankWork }],
    ["knownWeightMatmul", { times: once, work: matmulWork }],
    ["knownWeightMul", { times: once, work: mulWork }],
    ["maskedConv", { times: masked, work: convWork }],
    ["maskedMatmul", { times: masked, work: matmulWork }],
    ["maskedMul", { times: masked, work: mulWork }],
    ["sigmaMatmul", { times: masked, work: matmulWork }],
    ["sigmaMul", { times: masked, work: mulWork }],
    ["sigmaSharedMatmul", { times: masked, work: matmulWork }],
    ["sigmaSharedMul", { times: masked, work: mulWork }],
    ["sigmaAttention", { times: masked, work: attentionWork }],
    ["coarseMaxAttention", { times: masked, work: attentionWork }],
    ["coarseMaxAttentionKnownMask", { times: masked, work: attentionWork }],
    ["coarseMaxCachedAttention", { times: masked, work: cachedAttentionWork }],
  ]),
  local: new Map([
    ["conv", { times: local, work: convWork }],
    ["matmul", { times: local, work: matmulWork }],
    ["mul", { times: local, work: mulWork }],
  ]),
};

/** Counts the multiply-adds of each party for one operator, and the elements of its result. */
export function kernelWork({ callee, spec }: Pick<OpCall, "callee" | "spec">): KernelWork {
  const product = products[callee.kind].get(callee.name);
  const work = product ? product.work(spec) : 0;
  const of = (role: Role): number => work * (product?.times[role] ?? 0);
  return {
    multiplyAdds: { client: of("client"), server: of("server"), dealer: of("dealer") },
    elements: sizeOf(spec.result.shape),
  };
}
