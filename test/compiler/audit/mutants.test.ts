import { expect, test } from "vitest";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import { goldenBuild } from "./builds.ts";
import { twice } from "./cached-build.ts";
import { mutants } from "./mutants/all.ts";
import { kept } from "./mutants/cache.ts";

const build = goldenBuild();

test("the golden build is sound: one value is opened, to the client", () => {
  const { findings, opened, weights, parties, calls } = checkFlow(build);
  expect(findings).toEqual([]);
  expect(opened).toEqual([{ value: "logits", tensor: "logits", to: "client", shape: [9], from: ["client", "server"] }]);
  expect(weights).toEqual({
    public: ["model.o.weight"],
    server: ["model.q.lora_A", "model.k.weight", "model.k.bias", "model.q.lora_B"],
  });
  expect(parties).toEqual(["client", "server", "dealer"]);
  expect(calls).toBe(19);
});

test.each(mutants)("$what is refused with its own code", ({ of, codes }) => {
  const { findings } = checkFlow(of(build));
  expect(findings.map(({ code }) => code)).toEqual(expect.arrayContaining([...codes]));
  for (const { at } of findings) expect(at).not.toBe("");
});

test.each(kept)("with two programs over one state, $what is refused with its own code", ({ of, codes }) => {
  expect(checkFlow(twice).findings).toEqual([]);
  const { findings } = checkFlow(of(twice));
  expect(findings.map(({ code }) => code)).toEqual(expect.arrayContaining([...codes]));
});
