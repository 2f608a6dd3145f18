import { expect, test } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { tensor } from "../../ir/tensor.ts";
import { parse } from "../../ir/text/parse.ts";
import { type Departure, watchDepartures } from "../../passes/4-quantize/departures.ts";

const module = parse(
  `module m stage quantize {
  input %x : client f32[2, 2] in [-4, 4]
  %x.share = share %x : shared fx24.12[2, 2] in [-4, 4] at "/share"
  %norm = rms-norm %x.share { epsilon = 0.001, sum_lo = 0.5, sum_hi = 8 } : shared fx20.12[2, 2] in [-1.5, 1.5] at "/norm"
  %soft = softmax %x.share { axis = -1, sum_lo = 1, sum_hi = 1.5 } : shared fx16.12[2, 2] in [0, 1] at "/softmax"
  output %norm
  output %soft
}`,
  { file: "departures.mir" },
);

const watched = (...x: readonly number[]): readonly Departure[] => {
  const { observe, found } = watchDepartures(module);
  interpret(module, new Map(), new Map([["x", tensor([2, 2], x)]]), { observe });
  return found;
};

test("values within their bounds, and as far beyond as rounding takes them, are no departures", () => {
  expect(watched(1, -1, 0.5, -1)).toEqual([]);
  expect(watched(2.01, -1.99, 2, -2)).toEqual([]);
});

test("a value that is proven positive, but less than a unit, may round to 0; one that has an inverse may not", () => {
  const departuresOf = (lo: number, x: number) => {
    const positive = parse(
      `module m stage quantize {
  input %x : client f32[1] in [-4, 4]
  %x.share = share %x : shared fx24.12[1] in [-4, 4] at "/share"
  %y = abs %x.share : shared fx24.12[1] in [${lo}, 4] at "/y"
  output %y
}`,
      { file: "positive.mir" },
    );
    const { observe, found } = watchDepartures(positive);
    interpret(positive, new Map(), new Map([["x", tensor([1], [x])]]), { observe });
    return found.map(({ at }) => at);
  };
  expect(departuresOf(0.000000001, 0)).toEqual([]);
  expect(departuresOf(0.01, 0.0099)).toEqual([]);
  expect(departuresOf(0.01, 0)).toEqual(["/y"]);
  // The inverse root is planned for the binade of 1/8: a part of the upper end would reach 1/16.
  expect(departuresOf(0.125, 0.124)).toEqual([]);
  expect(departuresOf(0.125, 0.0896)).toEqual(["/y"]);
});

test("each value beyond is named with its layer, its bounds and the element farthest off", () => {
  const [first] = watched(1, -1, 0.5, -5);
  expect(first).toEqual({ value: "x.share", at: "/share", what: "values", bounds: { lo: -4, hi: 4 }, found: -5 });
});

test.each([
  ["a sum of squares that is too small", [0.3, -0.4, 1, -1], "/norm", 0.25],
  ["a sum of squares that is too large", [3, -1, 1, -1], "/norm", 10],
  ["a sum of exponentials that is too large", [1, 1, 1, -1], "/softmax", 2],
])("%s", (_, x, at, found) => {
  const departures = watched(...x).filter(({ what }) => what === "sums");
  expect(departures).toHaveLength(1);
  expect(departures[0]!.at).toBe(at);
  expect(departures[0]!.found).toBeCloseTo(found, 2);
});
