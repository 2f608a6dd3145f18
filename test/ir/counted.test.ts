import { expect, test } from "vitest";
import { counted } from "../../ir/counted.ts";

test("a noun follows its number", () => {
  expect(counted(1, "query", "queries")).toBe("1 query");
  expect([0, 2, 1200].map((count) => counted(count, "value"))).toEqual(["0 values", "2 values", "1,200 values"]);
});
