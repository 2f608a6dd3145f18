/**
 * Replicated secret sharing among client, server and dealer (Araki, Furukawa, Lindell, Nof, Ohara, CCS 2016; ABY3,
 * Mohassel, Rindal, CCS 2018): x = a + b + c, party i of (client, server, dealer) holds components i and i + 1. Linear
 * operations are local. In the ring of width 1 addition is XOR and the product AND, so the same code serves bits.
 */
import {
  type KnownWeight,
  type Party,
  parallel,
  type ReplicatedShare,
  type Role,
  type Steps,
} from "../../../core/index.ts";
import {
  add,
  addConstant,
  fromIntegers,
  type IntTensor,
  kernel,
  metaTensor,
  mul,
  mulConstant,
  type RingTensor,
  type Shape,
  sub,
  widen,
  zeros,
} from "../../../ring/index.ts";
import type { Operand } from "../../kit/index.ts";

/** Party i holds components i and i + 1 mod 3. */
const partyIndex: Readonly<Record<Role, 0 | 1 | 2>> = { client: 0, server: 1, dealer: 2 };

/** Fresh uniform randomness that the two holders of each component know and the third party does not. No traffic. */
const pairwiseRandom = (party: Party, shape: Shape, width: number): readonly [RingTensor, RingTensor, RingTensor] => [
  party.sharedRandomWithDealer("client", shape, width),
  party.sharedRandom(shape, width),
  party.sharedRandomWithDealer("server", shape, width),
];

const replicatedShare = (parts: ReplicatedShare["components"]): ReplicatedShare => ({
  kind: "replicated",
  components: parts,
});

/** The two of three components that this party holds. */
const componentsOf = (party: Party, components: readonly [RingTensor, RingTensor, RingTensor]): ReplicatedShare => {
  const at = partyIndex[party.role];
  return replicatedShare([components[at], components[(at + 1) % 3]!]);
};

/** Applies a linear kernel to both components. */
export const mapComponents = (
  { components: [x, y] }: ReplicatedShare,
  kernel: (t: RingTensor) => RingTensor,
): ReplicatedShare => replicatedShare([kernel(x), kernel(y)]);

/** Applies a kernel that is linear in all operands together, component by component. */
export const zipComponents = (
  all: readonly ReplicatedShare[],
  kernel: (...t: RingTensor[]) => RingTensor,
): ReplicatedShare =>
  replicatedShare([
    kernel(...all.map(({ components: parts }) => parts[0])),
    kernel(...all.map(({ components: parts }) => parts[1])),
  ]);

export const addReplicated = (x: ReplicatedShare, y: ReplicatedShare): ReplicatedShare => zipComponents([x, y], add);
export const subReplicated = (x: ReplicatedShare, y: ReplicatedShare): ReplicatedShare => zipComponents([x, y], sub);

/**
 * Applies a change that must happen once, such as adding a public tensor, to the second component, which client and
 * server hold.
 */
export const mapSecondComponent = (
  party: Party,
  { components: [x, y] }: ReplicatedShare,
  change: (t: RingTensor) => RingTensor,
  rest: (t: RingTensor) => RingTensor = (t) => t,
): ReplicatedShare => {
  if (party.role === "client") return replicatedShare([rest(x), change(y)]);
  return party.role === "server" ? replicatedShare([change(x), rest(y)]) : replicatedShare([rest(x), rest(y)]);
};

/** 1 − x of bits. */
export const complementBit = (party: Party, x: ReplicatedShare): ReplicatedShare =>
  mapSecondComponent(party, x, (t) => addConstant(t, 1));

/**
 * Shares a function of the third component, which the server and the dealer know: the third component is the result,
 * the others are 0. No traffic. A party that only counts does not hold the zeros either.
 */
export const shareFromThirdComponent = (
  party: Party,
  x: ReplicatedShare,
  change: (t: RingTensor) => RingTensor,
): ReplicatedShare => {
  const known = change(thirdComponent(party, x));
  const zero = kernel([x.components[0]], known.shape, known.width, () => {});
  return componentsOf(party, [zero, zero, known]);
};

/**
 * Shares a public tensor: the second component is the tensor, the others are 0. The dealer need not know it. No
 * traffic.
 */
const sharePublic = (party: Party, x: IntTensor, width: number): ReplicatedShare => {
  const zero = zeros(x.shape, width);
  return componentsOf(party, [zero, fromIntegers(x, width), zero]);
};

/** An operand of the form `replicated` or `public`. */
export function replicatedOperand(party: Party, operand: Operand | undefined, width: number): ReplicatedShare {
  if (operand?.kind === "replicated") return operand;
  if (operand?.kind === "int") return sharePublic(party, operand, width);
  throw new TypeError(`expected replicated shares or integers, got a ${operand?.kind}`);
}

/**
 * Shares a tensor that only the client knows: r at client and dealer, x − r at client and server. 1 round, width bits
 * per element.
 */
export function* shareFromClient(party: Party, x: RingTensor): Steps<ReplicatedShare> {
  const [r] = pairwiseRandom(party, x.shape, x.width);
  const mine = sub(x, r);
  // x − r is uniform to the server, which does not know r; the dealer learns r and zero. Safe to send.
  const none = metaTensor(x.shape, x.width);
  const [sent] = yield [{ from: "client", to: "server", tensor: party.role === "client" ? mine : none }];
  return componentsOf(party, party.role === "client" ? [r, mine, none] : [r, sent!, zeros(x.shape, x.width)]);
}

/**
 * Shares a tensor that only the server knows: s at server and dealer, x − s at client and server. 1 round, width bits
 * per element.
 */
export function* shareFromServer(party: Party, x: RingTensor): Steps<ReplicatedShare> {
  const [, , s] = pairwiseRandom(party, x.shape, x.width);
  const mine = sub(x, s);
  // x − s is uniform to the client, which does not know s; the dealer learns s and zero. Safe to send.
  const none = metaTensor(x.shape, x.width);
  const [sent] = yield [{ from: "server", to: "client", tensor: party.role === "server" ? mine : none }];
  return componentsOf(party, [zeros(x.shape, x.width), party.role === "server" ? mine : sent!, s]);
}

/** Additive shares of client and server, replicated: both hold x − r − s. 1 round, 2·width bits per element. */
export function* additiveToReplicated(party: Party, x: RingTensor): Steps<ReplicatedShare> {
  const [r, , s] = pairwiseRandom(party, x.shape, x.width);
  const other = metaTensor(x.shape, x.width);
  const mine = party.role === "client" ? sub(x, r) : party.role === "server" ? sub(x, s) : other;
  // r, unknown to the server, masks the client's share; s, unknown to the client, masks the server's. Safe to send.
  const [toServer, toClient] = yield [
    { from: "client", to: "server", tensor: party.role === "client" ? mine : other },
    { from: "server", to: "client", tensor: party.role === "server" ? mine : other },
  ];
  const theirs = party.role === "client" ? toClient! : party.role === "server" ? toServer! : other;
  return componentsOf(party, [r, add(mine, theirs), s]);
}

/** The inverse: additive shares of client and server, which hold a + b and c. Free. A meta tensor at the dealer. */
export function replicatedToAdditive(party: Party, { components: [x, y] }: ReplicatedShare): RingTensor {
  if (party.role === "client") return add(x, y);
  return party.role === "server" ? y : metaTensor(x.shape, x.width);
}

/** The third component, which the client does not know. */
export function thirdComponent(party: Party, { components: [x, y] }: ReplicatedShare): RingTensor {
  if (party.role === "client") return metaTensor(x.shape, x.width);
  return party.role === "server" ? y : x;
}

/** A private weight as a replicated share: its pad is the second component, `hidden` the third. No traffic. */
export function shareWeight(party: Party, { shape, width, values, pad, hidden }: KnownWeight): ReplicatedShare {
  const rest = party.role === "server" ? sub(fromIntegers(values, width), pad) : hidden;
  return componentsOf(party, [zeros(shape, width), pad, rest]);
}

/**
 * Reshares components z of which each party has one: each party sends its component to the party before it. The zero
 * sharing α + β + γ = 0 is added first: without it the receiver, which knows a component of each operand, would learn a
 * linear combination of the others (CrypTen issue 518). 1 round, 3·width bits per element.
 */
export function* reshare(party: Party, z: RingTensor): Steps<ReplicatedShare> {
  const at = partyIndex[party.role];
  const random = pairwiseRandom(party, z.shape, z.width);
  const mine = add(z, sub(random[(at + 1) % 3]!, random[at]));
  const other = metaTensor(z.shape, z.width);
  const from = (role: Role): RingTensor => (party.role === role ? mine : other);
  // The receiver lacks one of the two random tensors in z + α, so z + α is uniform to it. Safe to send.
  const sent = yield [
    { from: "client", to: "dealer", tensor: from("client") },
    { from: "server", to: "client", tensor: from("server") },
    { from: "dealer", to: "server", tensor: from("dealer") },
  ];
  return replicatedShare([mine, sent[(at + 1) % 3]!]);
}

type Bilinear = (x: RingTensor, y: RingTensor) => RingTensor;

/**
 * x∘y for a bilinear ∘: some party can compute each of the nine products of components. 1 round, 3·width bits per
 * element of the result.
 */
export function* multiplyReplicated(
  party: Party,
  x: ReplicatedShare,
  y: ReplicatedShare,
  kernel: Bilinear,
): Steps<ReplicatedShare> {
  const [x0, x1] = x.components;
  const [y0, y1] = y.components;
  return yield* reshare(party, add(kernel(x0, add(y0, y1)), kernel(x1, y0)));
}

/**
 * x∘W for a private weight, whose first component is 0: less computation than `multiplyReplicated`, the same traffic.
 */
export function* multiplyByWeight(
  party: Party,
  { components: [x0, x1] }: ReplicatedShare,
  { values, pad, hidden }: KnownWeight,
  kernels: { readonly ring: Bilinear; readonly integer: (x: RingTensor, w: IntTensor) => RingTensor },
): Steps<ReplicatedShare> {
  const own: Readonly<Record<Role, () => RingTensor>> = {
    client: () => kernels.ring(x0, pad),
    server: () => add(kernels.integer(x0, values), kernels.ring(x1, pad)),
    dealer: () => kernels.ring(add(x0, x1), hidden),
  };
  return yield* reshare(party, own[party.role]());
}

/**
 * bit·x for a bit in the ring of width 1: with b = t ⊕ b₂, where the client knows t = b₀ ⊕ b₁,
 *     b·x = x·b₂ + t·(x − 2·x·b₂).
 * 2 rounds, 7·width bits per element (ABY3, section 5.4, takes 8 by two three-party OTs).
 */
export function* multiplyByBit(party: Party, bit: ReplicatedShare, x: ReplicatedShare): Steps<ReplicatedShare> {
  const { width } = x.components[0];
  const [t, xb] = yield* parallel(
    shareFromClient(party, widen(replicatedToAdditive(party, bit), width)),
    multiplyReplicated(
      party,
      x,
      shareFromThirdComponent(party, bit, (t) => widen(t, width)),
      mul,
    ),
  );
  const rest = zipComponents([x, xb], (a, b) => sub(a, mulConstant(b, 2)));
  return addReplicated(xb, yield* multiplyReplicated(party, t, rest, mul));
}

/**
 * A bit in a ring of `width` bits: t + b₂ − 2·t·b₂, where the client knows t = b₀ ⊕ b₁. 2 rounds, 4·width bits per
 * element. Free in the ring of width 1.
 */
export function* replicatedBitToRing(party: Party, bit: ReplicatedShare, width: number): Steps<ReplicatedShare> {
  if (width === 1) return bit;
  const t = yield* shareFromClient(party, widen(replicatedToAdditive(party, bit), width));
  const b = shareFromThirdComponent(party, bit, (t) => widen(t, width));
  const both = yield* multiplyReplicated(party, t, b, mul);
  return zipComponents([t, b, both], (x, y, xy) => sub(add(x, y), mulConstant(xy, 2)));
}
