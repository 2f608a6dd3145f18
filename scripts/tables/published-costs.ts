/**
 * What BumbleBee and SIRNN send by published formulas, on two parties with oblivious transfer and homomorphic
 * encryption. This backend is not built here, and nothing of this is measured. `bits`: of one element, both directions.
 * `rounds`: as in the source, once for steps in parallel. BumbleBee counts one-way messages, SIRNN messages and replies.
 */
interface ProtocolCost {
  readonly bits: number;
  readonly rounds: number;
}

export interface PublishedCost extends ProtocolCost {
  readonly operator: string;
  readonly system: string;
  /** Bits of the ring, or of the value that is looked up. */
  readonly width: number;
  readonly madeOf: string;
}

const sequential = (...steps: readonly ProtocolCost[]): ProtocolCost => ({
  bits: steps.reduce((sum, { bits }) => sum + bits, 0),
  rounds: steps.reduce((sum, { rounds }) => sum + rounds, 0),
});
const repeated = (count: number, { bits, rounds }: ProtocolCost): ProtocolCost => ({
  bits: count * bits,
  rounds: count * rounds,
});
const parallel = (count: number, { bits, rounds }: ProtocolCost): ProtocolCost => ({ bits: count * bits, rounds });

/** BumbleBee on Cheetah's primitives with silent transfers (protocols.md 2.2, 2.4, 2.5; SPU's measured profile). */
const silentOt = {
  /** 348 bits at width 32, 690 at 64: 10.8 per bit. A tree over digits of 4 bits. */
  comparison: (width: number): ProtocolCost => ({
    bits: 10.8 * width,
    rounds: 2 * Math.ceil(Math.log2(width / 4)) + 2,
  }),
  choice: (width: number): ProtocolCost => ({ bits: 2 * (width + 1), rounds: 2 }),
  /** Of values in the slots of one ciphertext: a fresh ciphertext one way, one back. */
  product: { bits: 2 * (164 + 100), rounds: 2 },
  /** An offset makes the sign known: one correlated transfer. */
  truncation: { bits: 36, rounds: 1 },
};
const truncatedProduct = sequential(silentOt.product, silentOt.truncation);

/** Three comparisons, a polynomial of degree 4 in |x| (x², then x³ and x⁴), four scalings, three choices. */
const piecewise = (width: number): ProtocolCost =>
  sequential(
    parallel(3, silentOt.comparison(width)),
    silentOt.choice(width),
    truncatedProduct,
    parallel(2, truncatedProduct),
    parallel(4, silentOt.truncation),
    parallel(2, silentOt.choice(width)),
  );

const relu = sequential(silentOt.comparison(64), silentOt.choice(64));
const negExp = sequential(repeated(6, truncatedProduct), parallel(1, silentOt.choice(64)), {
  bits: silentOt.comparison(64).bits,
  rounds: 0,
});

const lambda = 128;
const log2 = (n: number): number => Math.ceil(Math.log2(n));

/** SIRNN's building blocks with the transfers of its time, λ bits each (protocols.md 2.3). */
const sirnn = {
  sign: (width: number): ProtocolCost => ({ bits: (lambda + 14) * width, rounds: log2(width) }),
  choice: (width: number): ProtocolCost => ({ bits: 2 * (lambda + width), rounds: 1 }),
  lookup: (index: number, width: number): ProtocolCost => ({ bits: 2 * lambda + 2 ** index * width, rounds: 2 }),
  digits: (width: number, digit: number): ProtocolCost => ({
    bits: (width / digit - 1) * (lambda * (digit + 2) + 15 * digit + 20),
    rounds: log2(digit) * (width / digit - 1),
  }),
  product: (m: number, n: number): ProtocolCost => {
    const [less, more] = [Math.min(m, n), Math.max(m, n)];
    const bits = lambda * (2 * less + 6) + 2 * less * more + less ** 2 + 3 * less + 2 * more + 4;
    return { bits, rounds: log2(less) };
  },
  reduction: (width: number, by: number): ProtocolCost => ({
    bits: lambda * (by + 1) + width + 13 * by,
    rounds: log2(by) + 2,
  }),
  extension: (from: number, to: number): ProtocolCost => ({
    bits: lambda * (from + 1) + 13 * from + to,
    rounds: log2(from) + 2,
  }),
};

/** Values of 16 bits, 12 of them fractional: two digits of 8 bits, a 14-bit table for each, their product, extended to 16 bits. */
const [width, scale] = [16, 12];
const exp = sequential(
  sirnn.digits(width, 8),
  parallel(2, sirnn.lookup(8, scale + 2)),
  sirnn.product(scale + 2, scale + 2),
  sirnn.reduction(2 * (scale + 2), scale),
  sirnn.extension(scale + 2, width),
);
const index = Math.ceil((scale - 2) / 2);
/** On [1, 2): a line from a table of m index bits. Its constant has m + 4 bits, its slope 2m + 3. */
const reciprocal = sequential(
  { bits: sirnn.lookup(index, index + 4).bits, rounds: 0 },
  sirnn.lookup(index, 2 * index + 3),
  sirnn.product(scale + 1 - index, 2 * index + 3),
  sirnn.reduction(2 * (scale + 2), scale),
);
const sigmoid = sequential(
  sirnn.sign(width),
  sirnn.choice(width),
  exp,
  reciprocal,
  sirnn.product(scale + 2, scale + 2),
  sirnn.reduction(2 * (scale + 2), scale),
  sirnn.choice(width),
);

export const publishedCosts: readonly PublishedCost[] = [
  { operator: "relu", system: "bumblebee", width: 64, madeOf: "comparison, choice", ...relu },
  { operator: "exp", system: "bumblebee", width: 64, madeOf: "6 squares, comparison, choice", ...negExp },
  { operator: "gelu", system: "bumblebee", width: 32, madeOf: "3 comparisons, quartic, choices", ...piecewise(32) },
  {
    operator: "silu",
    system: "bumblebee",
    width: 64,
    madeOf: "3 comparisons, quartic, choices, product",
    ...sequential(piecewise(64), truncatedProduct),
  },
  {
    operator: "softmax",
    system: "bumblebee",
    width: 64,
    madeOf: "relu, exp, product of each score; 7 levels of maxima",
    bits: sequential(relu, negExp, truncatedProduct).bits,
    rounds: sequential(repeated(7, relu), negExp, truncatedProduct).rounds,
  },
  { operator: "exp", system: "sirnn", width, madeOf: "2 digits, 2 tables, product, extension", ...exp },
  { operator: "reciprocal", system: "sirnn", width, madeOf: "on [1, 2): 2 tables, product", ...reciprocal },
  { operator: "sigmoid", system: "sirnn", width, madeOf: "sign, exp, reciprocal, product, 2 choices", ...sigmoid },
  { operator: "tanh", system: "sirnn", width, madeOf: "as sigmoid", ...sigmoid },
];
