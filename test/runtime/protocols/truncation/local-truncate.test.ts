import { expect, it } from "vitest";
import { localTruncate } from "../../../../runtime/protocols/truncation/local-truncate.ts";
import { costOf, execute, fixed } from "../../../harness/execute-protocol.ts";

/** Integers of `width` bits that lose `by`. */
const specOf = (count: number, width: number, by: number) => ({
  operands: [fixed([count], by, -(2 ** (width - 1 - by)), 2 ** (width - 1 - by))],
  result: fixed([count], 0, -(2 ** (width - 1 - by)), 2 ** (width - 1 - by), width - by),
  attrs: { by },
});

/** Where rounding turns, the ends, and what lies between them. */
function integersFor(width: number, by: number, count: number): Float64Array {
  // What float64 holds exactly, and two units from the end, over which an error of one would step: ranges have a bit
  // of slack for that.
  const most = 2 ** Math.min(width - 1, 52) - 2 ** (by + 1);
  const special = [0, 1, -1, 2 ** (by - 1), -(2 ** (by - 1)), 2 ** by - 1, 1 - 2 ** by, most, -most];
  return Float64Array.from(
    { length: count },
    (_, k) => special[k] ?? Math.round(most * (((k * 0.618033988749895) % 1) * 2 - 1)),
  );
}

const roundedQuotient = (x: number, by: number): number => Math.floor(x / 2 ** by + 0.5);

const widths = [17, 31, 32, 33, 44, 52, 63, 64];
const shifts = (width: number): number[] => [1, 2, 7, 12, 20, 31, 32, 33].filter((by) => by < Math.min(width - 2, 50));

it("is within one unit of the rounded quotient: every width and shift, extremes, 3 seeds and fixed shares", () => {
  for (const width of widths) {
    for (const by of shifts(width)) {
      const x = integersFor(width, by, 40);
      const real = x.map((v) => v / 2 ** by);
      for (const options of [{ trial: 1 }, { trial: 2 }, { trial: 3 }, { corrupted: "client" }] as const) {
        const outcome = execute(localTruncate, specOf(40, width, by), [real], options);
        expect(outcome.metered).toEqual(outcome.counted);
        outcome.values.forEach((v, k) => {
          const off = Math.abs(v - roundedQuotient(x[k]!, by));
          if (off > 1) expect({ width, by, x: x[k], found: v }).toBe(`within 1 of ${roundedQuotient(x[k]!, by)}`);
        });
      }
    }
  }
});

it("is exact on multiples, whatever the shares: of three low bits, halves come often", () => {
  const [width, by, count] = [20, 3, 64];
  const x = Float64Array.from({ length: count }, (_, k) => (k - 32) * 2 ** by);
  for (let trial = 0; trial < 40; trial++) {
    const { values } = execute(localTruncate, specOf(count, width, by), [x.map((v) => v / 2 ** by)], { trial });
    expect([...values]).toEqual([...x].map((v) => v / 2 ** by));
  }
});

it("has an error that is centred: its mean over 200 seeds is nought, its spread that of two roundings", () => {
  const [width, by, count] = [40, 8, 500];
  const x = integersFor(width, by, count);
  const real = x.map((v) => v / 2 ** by);
  let [sum, squares] = [0, 0];
  for (let trial = 0; trial < 200; trial++) {
    const { values } = execute(localTruncate, specOf(count, width, by), [real], { trial });
    values.forEach((v, k) => {
      const error = v - real[k]!;
      sum += error;
      squares += error ** 2;
    });
  }
  const n = 200 * count;
  const variance = squares / n;
  // Both roundings err uniformly within half a unit: 1/12 each, and never more than 1/4 together whatever x is.
  expect(variance).toBeGreaterThan(0.15);
  expect(variance).toBeLessThan(0.19);
  // Five standard deviations of a mean of n such errors.
  expect(Math.abs(sum / n)).toBeLessThan(5 * Math.sqrt(variance / n));
});

it("takes the dropped bits off the ring, sends nothing and needs no dealer", () => {
  const spec = specOf(10, 44, 12);
  const { client, server } = execute(localTruncate, spec, [integersFor(44, 12, 10).map((v) => v / 2 ** 12)]);
  for (const handle of [client, server]) expect(handle).toMatchObject({ kind: "share", tensor: { width: 32 } });
  expect(costOf(localTruncate, spec)).toEqual({
    rounds: 0,
    clientToServer: 0,
    serverToClient: 0,
    dealerToServer: 0,
  });
});
