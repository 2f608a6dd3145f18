import { afterEach, describe, expect, test } from "vitest";
import { createPrg } from "../../../runtime/core/random.ts";
import { knownKernels } from "../../../runtime/kernels/index.ts";
import type { Protocol } from "../../../runtime/protocols/kit/define-protocol.ts";
import { protocols } from "../../../runtime/protocols/registry.ts";
import { deferFrom } from "../../../runtime/ring/deferred.ts";
import {
  add,
  addConstant,
  bitAt,
  combineDigits,
  concat,
  dropSingles,
  exponentials,
  extractBits,
  filled,
  lessThan,
  maskHarmonics,
  mul,
  mulConstant,
  neg,
  onesBelow,
  openedHarmonics,
  pack,
  type RingTensor,
  reduceSum,
  reshape,
  type Shape,
  shiftLeft,
  shiftRightRounded,
  slice,
  sub,
  subsetProducts,
  unpack,
  widenSigned,
  withSingles,
  xorWords,
} from "../../../runtime/ring/index.ts";
import { execute } from "../../harness/execute-protocol.ts";
import { seedOf } from "../../harness/run-parties.ts";
import { inputsOf, specsOf } from "../../harness/spec-table.ts";

/*
 * Small tensors are computed by loops, large ones by kernels. Each test computes the same in both ways, whatever the
 * size: first nothing is deferred, then everything.
 */
const usual = deferFrom.elements;
afterEach(() => {
  deferFrom.elements = usual;
});

function inBothWays<T>(compute: () => T): readonly [loops: T, kernels: T] {
  deferFrom.elements = Number.POSITIVE_INFINITY;
  const loops = compute();
  deferFrom.elements = 1;
  return [loops, compute()];
}

const words = ({ shape, width, data }: RingTensor) => ({ shape, width, data: [...data!] });

function expectEqual(compute: () => RingTensor): void {
  const [loops, kernels] = inBothWays(() => words(compute()));
  expect(kernels).toEqual(loops);
  const [packedByLoops, packedByKernels] = inBothWays(() => [...pack(compute())]);
  expect(packedByKernels).toEqual(packedByLoops);
}

const draw = (shape: Shape, width: number, label = "x"): RingTensor =>
  createPrg(seedOf(1, 1), label).ring(shape, width);

const widths = [1, 2, 7, 8, 16, 20, 31, 32, 33, 37, 48, 63, 64];

describe.each(widths)("in a ring of %i bits", (width) => {
  const a = (): RingTensor => draw([5, 67], width, "a");
  const b = (): RingTensor => draw([5, 67], width, "b");
  const row = (): RingTensor => draw([67], width, "row");
  const column = (): RingTensor => draw([5, 1], width, "column");

  test("sums, differences, products", () => {
    for (const of of [add, sub, mul, xorWords, lessThan]) {
      for (const other of [b, row, column, () => draw([], width, "one")]) {
        expectEqual(() => of(a(), other()));
        expectEqual(() => of(other(), a()));
      }
    }
    expectEqual(() => neg(a()));
    for (const n of [0, 1, 2, 2 ** 20, -1, 12345]) {
      expectEqual(() => addConstant(a(), n));
      expectEqual(() => mulConstant(a(), n));
      expectEqual(() => filled(a(), [5, 67], width, n));
    }
  });

  test("bits and shifts", () => {
    for (const from of new Set([0, 1, width >> 1, width - 1].filter((k) => k < width))) {
      for (const bits of [1, 5, 32, 33, 64]) expectEqual(() => extractBits(a(), from, bits));
      expectEqual(() => shiftLeft(a(), from));
      expectEqual(() => shiftRightRounded(a(), from));
    }
    for (const wider of [width, 33, 64].filter((other) => other >= width)) expectEqual(() => widenSigned(a(), wider));
  });

  test("sums over the first axis, runs of rows, and rows one after the other", () => {
    expectEqual(() => reduceSum(mul(a(), b()), [0], false));
    expectEqual(() => slice(add(a(), b()), [1, 0], [4, 67]));
    expectEqual(() => reshape(slice(add(a(), b()), [1, 0], [2, 67]), [67]));
    expectEqual(() => add(concat([neg(a()), b()], 0), concat([b(), neg(a())], 0)));
    expectEqual(() =>
      mul(
        reduceSum(
          concat(
            [neg(row()), row()].map((t) => reshape(t, [1, 67])),
            0,
          ),
          [0],
          false,
        ),
        row(),
      ),
    );
  });

  test("a chain, of which one part is used twice and one is packed first", () => {
    expectEqual(() => {
      const sum = add(mul(a(), b()), row());
      const twice = add(sum, sum);
      pack(twice);
      return sub(mul(twice, sum), twice);
    });
    expectEqual(() => add(unpack(pack(a()), [5, 67], width), b()));
  });
});

test("more operands than a kernel may have, and longer chains", () => {
  const all = draw([2500, 70], 37);
  const many = (): RingTensor[] => Array.from({ length: 2500 }, (_, k) => slice(all, [k, 0], [k + 1, 70]));
  const pairwise = (terms: readonly RingTensor[]): RingTensor => {
    const half = terms.length >> 1;
    return half === 0 ? terms[0]! : add(pairwise(terms.slice(0, half)), pairwise(terms.slice(half)));
  };
  expectEqual(() => pairwise(many()));
  expectEqual(() =>
    many()
      .slice(0, 500)
      .reduce((sum, each) => add(sum, each)),
  );
  // Fifty rows of fifty operands each.
  const row = (k: number): RingTensor => pairwise(many().slice(50 * k, 50 * k + 50));
  expectEqual(() =>
    neg(
      concat(
        Array.from({ length: 50 }, (_, k) => row(k)),
        0,
      ),
    ),
  );
});

test("tables of digits", () => {
  const digit = (width: number): RingTensor => draw([130], width, `digit ${width}`);
  for (const width of [1, 2, 4, 5, 6]) {
    expectEqual(() => onesBelow(digit(width)));
    expectEqual(() => bitAt(onesBelow(digit(width)), draw([130], width, "at")));
  }
  for (const count of [2, 3, 4, 5]) {
    const bits = (): RingTensor => draw([count, 130], 1, "bits");
    const factor = (): RingTensor => draw([130], 1, "factor");
    expectEqual(() => subsetProducts(bits(), factor()));
    expectEqual(() => dropSingles(subsetProducts(bits(), factor())));
    const singles = (): RingTensor[] => Array.from({ length: count }, (_, k) => draw([130], 1, `single ${k}`));
    const others = (): RingTensor => dropSingles(draw([130], 2 ** count, "others"));
    expectEqual(() => withSingles(factor(), singles(), others()));
    expectEqual(() =>
      combineDigits(
        draw([count + 1, 130], 1, "less"),
        draw([count, 130], 1, "equal"),
        draw([130], 2 ** count, "products"),
        Array.from({ length: count + 1 }, (_, d) => draw([130], 2 ** (count - d), `guarded ${d}`)),
      ),
    );
  }
});

test("harmonics and exponentials, which all parties must compute alike", () => {
  const series = { constant: 0.5, cosines: [0.3, -1.2, 0, 4], sines: [1, 0.25, -3] };
  for (const bits of [3, 16, 32]) {
    const angle = (): RingTensor => draw([301], bits, "angle");
    for (const width of [20, 31, 40, 64]) {
      expectEqual(() => maskHarmonics(angle(), 4, 14, width));
      expectEqual(() => openedHarmonics(angle(), series, 20, width));
      expectEqual(() => reduceSum(mul(openedHarmonics(angle(), series, 14, width), draw([8, 301], width)), [0], false));
    }
    const fraction = Math.max(0, bits - 4);
    for (const exponent of [-20, 0, 30]) expectEqual(() => exponentials(angle(), fraction, exponent, -1, 64));
    expectEqual(() => exponentials(angle(), fraction, 12, 1, 32));
  }
});

/** What every party receives, and what comes out, on inputs and randomness of a trial. */
function run(protocol: Protocol, trial: number) {
  const row = specsOf(protocol);
  const spec = row.specs[1]!;
  const { view, values, counted, metered } = execute(protocol, spec, inputsOf(row, spec, trial), { trial });
  const seen = Object.fromEntries(Object.entries(view).map(([role, tensors]) => [role, tensors.map(words)]));
  return { seen, values: [...values], counted, metered };
}

describe.each([...protocols.keys()])("%s", (name) => {
  test("sends and gives the same by loops and by kernels, which no secret changes", () => {
    const [loops, kernels] = inBothWays(() => run(protocols.get(name)!, 1));
    expect(kernels).toEqual(loops);
    const known = new Set(knownKernels());
    run(protocols.get(name)!, 2);
    expect(knownKernels().filter((text) => !known.has(text))).toEqual([]);
  });
});

test("a recipe that looked at contents would give another kernel for other contents", () => {
  deferFrom.elements = 1;
  const leaky = (a: RingTensor): RingTensor => addConstant(a, a.data![0]!);
  pack(leaky(draw([5], 20, "one secret")));
  const known = new Set(knownKernels());
  pack(leaky(draw([5], 20, "another")));
  expect(knownKernels().filter((text) => !known.has(text))).toHaveLength(1);
});
