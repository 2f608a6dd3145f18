import { expect, test } from "vitest";
import { tensor } from "../../ir/tensor.ts";
import { parse } from "../../ir/text/parse.ts";
import { calibrate } from "../../passes/4-quantize/index.ts";

/** The range of %y that is proven for x in [−4, 3], m in [0, 1] and h in [−2, 5]. */
function provenRange(lines: string) {
  const module = parse(`module proof stage rewrite {
    input %x : shared f32[2, 5] in [-4, 3]
    input %m : shared f32[2, 5, 1] in [0, 1]
    input %h : shared f32[2, 5, 3] in [-2, 5]
    param %small : public f32[] = "small"
    ${lines}
    output %y
  }`);
  const weights = new Map([["small", tensor([], [0.25])]]);
  const { lo, hi } = calibrate({ module, weights }, []).ranges.get("y")!;
  return [lo, hi].map((end) => Math.round(end * 1e6) / 1e6 + 0);
}

const most = "%most = reduce-max %x { axes = [1], keepdims = true } : shared f32[2, 1]";
const exponentials = `${most}
    %z = sub %x, %most : shared f32[2, 5]
    %e = exp %z : shared f32[2, 5]
    %s = reduce-sum %e { axes = [1], keepdims = true } : shared f32[2, 1]`;
const masked = `%hm = mul %h, %m : shared f32[2, 5, 3]
    %top = reduce-sum %hm { axes = [1], keepdims = false } : shared f32[2, 3]
    %count = reduce-sum %m { axes = [1], keepdims = false } : shared f32[2, 1]`;

test.each([
  ["x − max x", `${most}\n%y = sub %x, %most : shared f32[2, 5]`, [-7, 0]],
  [
    "x − max x, moved and broadcast back",
    `%most = reduce-max %x { axes = [1], keepdims = false } : shared f32[2]
    %t = transpose %x { perm = [1, 0] } : shared f32[5, 2]
    %y = sub %t, %most : shared f32[5, 2]`,
    [-7, 0],
  ],
  [
    "x − max of the other axis, broadcast from the right",
    `%most = reduce-max %h { axes = [1], keepdims = false } : shared f32[2, 3]
    %first = slice %h { starts = [0, 0, 0], ends = [2, 2, 3], steps = [1, 1, 1] } : shared f32[2, 2, 3]
    %y = sub %first, %most : shared f32[2, 2, 3]`,
    [-7, 7],
  ],
  ["Σ e^(x − max x)", `${exponentials}\n%y = add %s, %s : shared f32[2, 1]`, [2.007295, 10]],
  ["ln Σ e^(x − max x)", `${exponentials}\n%y = log %s : shared f32[2, 1]`, [0.003641, 1.609438]],
  [
    "e / Σ e",
    `${exponentials}\n%i = reciprocal %s : shared f32[2, 1]\n%y = mul %e, %i : shared f32[2, 5]`,
    [0.000182, 0.996366],
  ],
  ["max e^(x − max x)", `${exponentials}\n%y = reduce-max %e { axes = [1], keepdims = false } : shared f32[2]`, [1, 1]],
  [
    "mean − max",
    `${most}\n%mean = reduce-mean %x { axes = [1], keepdims = true } : shared f32[2, 1]
    %y = sub %mean, %most : shared f32[2, 1]`,
    [-7, 0],
  ],
  ["x·x", "%y = mul %x, %x : shared f32[2, 5]", [0, 16]],
  // A few units of rounding have room.
  ["x − x", "%y = sub %x, %x : shared f32[2, 5]", [-0.015625, 0.015625]],
  [
    "(x + e) − x",
    `${exponentials}\n%a = add %x, %e : shared f32[2, 5]\n%y = sub %a, %x : shared f32[2, 5]`,
    [0.000912, 1],
  ],
  ["x − |x|", "%a = abs %x : shared f32[2, 5]\n%y = sub %x, %a : shared f32[2, 5]", [-8, 0]],
  ["relu(x) − x", "%r = relu %x : shared f32[2, 5]\n%y = sub %r, %x : shared f32[2, 5]", [0, 4]],
  [
    "mean of h under m, with a clip",
    `${masked}\n%c = clip %count { lo = 0.001 } : shared f32[2, 1]
    %i = reciprocal %c : shared f32[2, 1]\n%y = mul %top, %i : shared f32[2, 3]`,
    [-5, 5],
  ],
  [
    "x / √(Σ x² + ε)",
    `%q = mul %x, %x : shared f32[2, 5]
    %s = reduce-sum %q { axes = [1], keepdims = true } : shared f32[2, 1]
    %v = add %s, %small : shared f32[2, 1]
    %r = rsqrt %v : shared f32[2, 1]\n%y = mul %x, %r : shared f32[2, 5]`,
    [-1, 1],
  ],
  [
    "x / max(‖x‖, ε)",
    `%q = mul %x, %x : shared f32[2, 5]
    %s = reduce-sum %q { axes = [1], keepdims = true } : shared f32[2, 1]
    %n = sqrt %s : shared f32[2, 1]
    %c = clip %n { lo = 0.001 } : shared f32[2, 1]
    %y = div %x, %c : shared f32[2, 5]`,
    [-1, 1],
  ],
  [
    "√v · √v as v · rsqrt(v)",
    "%a = clip %x { lo = 0.25 } : shared f32[2, 5]\n%r = rsqrt %a : shared f32[2, 5]\n%y = mul %a, %r : shared f32[2, 5]",
    [0.5, 1.732051],
  ],
] as const)("%s", (_name, lines, expected) => {
  expect(provenRange(lines)).toEqual(expected);
});

test("an exponent measured below 0 keeps its upper end near it; other values become symmetric", () => {
  const module = parse(`module exponent stage rewrite {
    input %x : shared f32[4]
    %a = neg %x : shared f32[4]
    %y = exp %a : shared f32[4]
    output %y
  }`);
  const runs = [[0, 1, 4, 8]].map((values) => new Map([["x", tensor([4], values)]]));
  const { ranges } = calibrate({ module, weights: new Map() }, runs, { margin: 2 });
  expect(ranges.get("x")).toEqual({ lo: -16, hi: 16 });
  // Twice the distance from the middle would be 4; e^x at most twice what was measured says ln 2, with room for queries.
  expect(ranges.get("a")).toEqual({ lo: -16, hi: 1.25 * Math.log(2) });
  expect(ranges.get("y")!.hi).toBe(2);
});
