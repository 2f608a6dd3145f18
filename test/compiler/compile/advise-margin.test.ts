import { expect, test } from "vitest";
import { adviseMargin } from "../../../compiler/compile/measure-ranges.ts";
import type { Diagnostic } from "../../../ir/diagnostic.ts";

const beyond = (at: string): Diagnostic => ({ code: "MRL0505", message: `${at} is beyond its bounds`, at });

test.each([
  4, 5, 7.5, 23, 63, 64, 65, 1000, 1024,
])("the advice names %s, or the next integer: the least that works", (needed) => {
  const tried: number[] = [];
  const [found] = adviseMargin([beyond("/a")], 3, (margin) => {
    tried.push(margin);
    return margin >= needed;
  });
  expect(found!.help).toContain(`--margin ${Math.ceil(needed)},`);
  expect(Math.max(...tried)).toBeLessThanOrEqual(1024);
  expect(tried.length).toBeLessThan(22);
});

test("where no margin works, the advice is another command", () => {
  const [found] = adviseMargin([beyond("/a")], 4, () => false);
  expect(found!.help).toContain("--publish-ranges");
});

test("many values beyond their bounds are one problem", () => {
  const problems = Array.from({ length: 9 }, (_, k) => beyond(`/${k}`));
  const found = adviseMargin(problems, 4, () => true);
  expect(found).toHaveLength(1);
  expect(found[0]!.because).toHaveLength(5);
  expect(found[0]!.because!.at(-1)).toBe("and 4 more values");
});

test("other problems stay as they are", () => {
  const heavy: Diagnostic = { code: "MRL0504", message: "a weight does not fit" };
  expect(adviseMargin([heavy], 4, () => true)).toEqual([heavy]);
});
