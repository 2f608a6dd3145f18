import { chacha20orig } from "@noble/ciphers/chacha.js";
import { describe, expect, it } from "vitest";
import { createPrg } from "../../../runtime/core/random.ts";
import { chacha20 } from "../../../runtime/ring/chacha.ts";
import { seedOf } from "../../harness/run-parties.ts";

const hex = (words: Uint32Array): string =>
  Array.from(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), (v) =>
    v.toString(16).padStart(2, "0"),
  ).join("");

describe("a block of ChaCha20 with a key of 128 bits", () => {
  it("is that of the test vector for a key of zeros (draft-strombergson-chacha-test-vectors-01, TC1)", () => {
    const out = new Uint32Array(9);
    chacha20(new Uint32Array(4), 0, out);
    expect(hex(out)).toBe("89670952608364fd00b2f90936f031c8e756e15dba04b8493d00429259b20f46cc04f111");
  });

  it("is the library's for 2,000 keys that stand one after the other", () => {
    const keys = createPrg(seedOf(1, 9), "keys").ring([2000 * 4], 32).data!;
    const whole = new Uint8Array(64);
    const out = new Uint32Array(9);
    for (let at = 0; at < keys.length; at += 4) {
      chacha20(keys, at, out);
      const key = new Uint8Array(keys.slice(at, at + 4).buffer);
      chacha20orig(key, new Uint8Array(8), new Uint8Array(64), whole);
      expect(hex(out)).toBe(hex(new Uint32Array(whole.buffer, 0, 9)));
    }
  });
});
