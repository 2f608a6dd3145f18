import { describe, expect, test } from "vitest";
import { flowReportText } from "../../../compiler/audit/audit-text.ts";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import { createNameReader } from "../../../compiler/audit/weight-names.ts";
import { goldenBuild, withManifest } from "./builds.ts";

const weightsIn = createNameReader(["W", "W.bias", "norm.weight", "12", "a b", "W@3", "@2"]);

describe("the name of a tensor says which weights it follows from", () => {
  test.each([
    ["W@12", ["W"]],
    ["W@3", ["W", "W@3"]],
    ["@2", ["@2"]],
    ["W*norm.weight@-3", ["W", "norm.weight"]],
    ["W|W.bias|12", ["W", "W.bias", "12"]],
    ["W*0.2550348572844616", ["W"]],
    ["1/W", ["W"]],
    ["(W-norm.weight)/2", ["W", "norm.weight"]],
    ["norm.weight turned", ["norm.weight"]],
    ["W near 1", ["W"]],
    ["W:1", ["W"]],
    ["W*t5.reshape of norm.weight & constant:eps_1", ["W", "norm.weight"]],
    ["t9 of t5.reshape of 12 & a b", ["12", "a b"]],
    ["constant:mask chosen W", ["W"]],
    ["constant uniform 3 4", []],
    ["constant:rotary.Unsqueeze*0.25", []],
  ])("%s", (tensor, names) => {
    const found = weightsIn(tensor);
    expect(found.isWhole).toBe(true);
    expect([...found.names].sort()).toEqual([...names].sort());
  });

  test.each([
    "V@12",
    "W*V",
    "V|W",
    "1/V",
    "W.bias.more",
    "W2",
    "V turned",
    "V near 1",
    "t5.reshape of V & W",
    "W of V",
    "13",
    "",
    "2*3",
  ])("%s has another", (tensor) => expect(weightsIn(tensor).isWhole).toBe(false));
});

type Weights = readonly { readonly name: string; readonly label: string }[];

/** A build whose manifest lists other weights. */
const checked = (change: (weights: Weights) => readonly object[]) =>
  checkFlow(withManifest(goldenBuild(), (manifest) => ({ ...manifest, weights: change(manifest.weights as Weights) })));

test.each(["model.o.weight", "model.k.bias", "model.q.lora_A"])("%s is missed where the manifest drops it", (name) => {
  const { findings } = checked((weights) => weights.filter((each) => each.name !== name));
  expect(findings.map(({ code, message }) => `${code} ${message}`)).toEqual([
    `MRL0910 ${name} follows from a weight that the manifest does not list`,
  ]);
});

test("a private weight that no program uses is told: an output that nobody asked for may need it", () => {
  const report = checked((weights) => [...weights, { name: "model.v.weight", label: "server" }]);
  expect(report.findings).toEqual([]);
  expect(report.notUsed).toEqual(["model.v.weight"]);
  expect(flowReportText(report)).toMatch(/not used +1 private weight, in no program: "model\.v\.weight"\n/);
});
