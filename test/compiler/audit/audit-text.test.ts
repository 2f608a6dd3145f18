import { expect, test } from "vitest";
import { flowReportText, verdictText } from "../../../compiler/audit/audit-text.ts";
import { checkFlow } from "../../../compiler/audit/index.ts";
import { localShapes } from "../../../compiler/audit/local-shapes.ts";
import { goldenBuild } from "./builds.ts";

const report = checkFlow(goldenBuild());

test("the verdict counts what was found", () => {
  const finding = { code: "MRL0905", message: "an opening", at: "client/program.ts" };
  expect(verdictText(report)).toMatch(/^PASSED/);
  expect(verdictText({ ...report, findings: [finding] })).toBe("FAILED: 1 finding");
  expect(verdictText({ ...report, findings: [finding, finding] })).toBe("FAILED: 2 findings");
});

test("another system's numerics come first, and no build passes with them without saying so", () => {
  expect(flowReportText(report)).toMatch(
    /^"gated": .*\npreset +"crypten".*not to serve\nrounded by shares +"logits", by/,
  );
  expect(verdictText(report)).toMatch(/^PASSED as a measurement of "crypten", not to serve:/);
  const { preset: _, ...ours } = report;
  expect(verdictText(ours)).toBe("PASSED: nothing is opened but the declared outputs, to their readers");
});

test("the folder of one party says what it cannot show, that of all nothing", () => {
  expect(flowReportText(report)).not.toContain("not checked");
  const of = (party: "client" | "server"): string => flowReportText({ ...report, parties: [party] });
  expect(of("client")).toContain("which private numbers the server uses");
  expect(of("server")).not.toContain("which private numbers the server uses");
  expect(of("server")).toContain("which files the client has");
  expect(of("client")).not.toContain("which files the client has");
});

test("a transpose names each axis once", () => {
  const transpose = localShapes.get("transpose")!;
  expect(transpose([[2, 3, 4]], { perm: [2, 0, 1] }, [])).toEqual([4, 2, 3]);
  expect(transpose([[2, 3, 4]], { perm: [1, 0] }, [])).toBeUndefined();
  expect(transpose([[2, 3]], { perm: [1, 0, 1] }, [])).toBeUndefined();
  expect(transpose([[2, 3]], { perm: [1, 1] }, [])).toBeUndefined();
});
