import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { checkCases } from "./cases.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-relations-"));
afterAll(() => rmSync(dir, { recursive: true }));

describe("comparisons with private numbers", () => {
  checkCases(dir, { "private-threshold": { ops: { sub: 1, compare: 1 }, error: 0 } });
});

describe("means under a mask of the client", () => {
  checkCases(dir, {
    "mean-pooling": { ops: { reciprocal: 0 } },
    "mean-pooling-clamp": { ops: { reciprocal: 0 } },
  });
});

describe("roots near 0", () => {
  checkCases(dir, { "stft-magnitude": { ops: { sqrt: 1, rsqrt: 0 }, error: 2 ** -11 } });
});

describe("values beside their own rows", () => {
  checkCases(dir, {
    "softmax-of-primitives": { ops: { softmax: 1, "reduce-max": 0, exp: 0 } },
    logsumexp: { ops: { "reduce-max": 1, exp: 1, log: 1 } },
  });
});
