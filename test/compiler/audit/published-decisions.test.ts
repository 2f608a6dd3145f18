import { expect, test } from "vitest";
import { comparePublished } from "../../../compiler/audit/compare-manifest.ts";
import type { ParsedModule } from "../../../compiler/audit/parse-mir.ts";
import type { ParsedManifest } from "../../../compiler/audit/read-manifest.ts";

/** What the rule reads of a module, and of a manifest whose provider publishes one distance. */
const module = { inputs: new Map(), params: new Map(), steps: [] } as unknown as ParsedModule;
const findings = (distance: number, value = "g"): readonly string[] => {
  const manifest = {
    reveals: [],
    decisions: [{ value, at: "/Greater", distance }],
    calibration: { published: { integers: 1, bits: 7, bounds: [{ value: "g", bound: "distance", exponent: -9 }] } },
  } as unknown as ParsedManifest;
  return comparePublished(module, manifest, "manifest.json").map(({ message }) => message);
};

test("a distance beside a list of what is published is one of its integers", () => {
  expect(findings(2 ** -9)).toEqual([]);
  const unlisted = ["the distance of /Greater is not among the integers that the manifest publishes"];
  expect(findings(0.0019)).toEqual(unlisted);
  expect(findings(2 ** -9, "h")).toEqual(unlisted);
});
