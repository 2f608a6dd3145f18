import fc from "fast-check";
import { expect, test } from "vitest";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import { floatTensor } from "../onnx/format/build-model.ts";
import { goldenBuild } from "./builds.ts";
import { withInitializer } from "./files.ts";

/** With a model at the client, so that every reader has something to read. */
const build = withInitializer(goldenBuild(), floatTensor("w", [2], [1, 2]));
const paths = [...build.keys()];

const spoiled = fc.record({
  path: fc.constantFrom(...paths),
  place: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  bytes: fc.uint8Array({ maxLength: 6 }),
  cut: fc.nat({ max: 40 }),
});

test("no bytes crash the checker: it reports a finding", () => {
  fc.assert(
    fc.property(spoiled, ({ path, place, bytes, cut }) => {
      const before = build.get(path)!;
      const at = Math.floor(place * before.length);
      const after = Uint8Array.from([...before.subarray(0, at), ...bytes, ...before.subarray(at + cut)]);
      for (const { code, message, at: where } of checkFlow(new Map([...build, [path, after]])).findings) {
        expect(code).toMatch(/^MRL09\d\d$/);
        expect(message).not.toBe("");
        expect(where).not.toBe("");
      }
    }),
    { numRuns: 150 },
  );
});

test("a change of any byte that other parties receive is found, except in comments of programs", () => {
  const sound = goldenBuild();
  const counted = [...sound.keys()].filter(
    (path) => path !== "server/weights.safetensors" && !/program\.[jt]s$/.test(path),
  );
  expect(counted).toContain("client/weights.safetensors");
  for (const path of counted) {
    const before = sound.get(path)!;
    for (let at = 0; at < before.length; at += Math.ceil(before.length / 10)) {
      const after = before.slice();
      after[at]! ^= 1;
      expect([path, at, checkFlow(new Map([...sound, [path, after]])).findings.length > 0]).toEqual([path, at, true]);
    }
  }
});
