import { expect, test } from "vitest";
import { tensor } from "../../ir/tensor.ts";
import { fx } from "../../ir/type.ts";
import { checkFits } from "../../passes/4-quantize/param-forms.ts";

test("a private weight fits up to the last number of its form, on both sides of zero", () => {
  const form = fx(8, 4);
  const fits = (value: number) => checkFits("w", tensor([1], Float64Array.of(value)), form) === undefined;
  // 8 bits hold -128 to 127, at scale 4 up to 7.9375; the form is symmetric, so that a sign tells nothing.
  expect([127 / 16, -127 / 16].map(fits)).toEqual([true, true]);
  expect([128 / 16, 127.5 / 16, -128 / 16].map(fits)).toEqual([false, false, false]);
});
