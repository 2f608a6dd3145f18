import { expect, test } from "vitest";
import { createPrg, deriveSeed, freshSeed } from "../../../runtime/core/random.ts";
import * as browser from "../../../runtime/platform/browser.ts";
import * as node from "../../../runtime/platform/node.ts";
import type { Platform } from "../../../runtime/platform/platform.ts";

const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const platforms: Record<string, Platform> = { node, browser };

test("both platforms give the same keystream, whatever the sizes of the draws", () => {
  for (const counter of [new Uint8Array(16), new Uint8Array(16).fill(255)]) {
    const [a, b] = [node.keystream(seed.subarray(0, 16), counter), browser.keystream(seed.subarray(0, 16), counter)];
    for (const bytes of [1, 15, 16, 17, 1024, 5000, 0, 262144, 3]) expect(hex(b(bytes))).toBe(hex(a(bytes)));
  }
});

test.each(Object.entries(platforms))("%s: published vectors", (_, platform) => {
  // NIST SP 800-38A, F.5.1, the first two blocks of the keystream.
  const key = Buffer.from("2b7e151628aed2a6abf7158809cf4f3c", "hex");
  const counter = Buffer.from("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "hex");
  expect(hex(platform.keystream(key, counter)(32))).toBe(
    "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae",
  );
  // RFC 5869, test case 3: no salt, no info.
  expect(hex(platform.expand(new Uint8Array(22).fill(0x0b), new Uint8Array(0), 42))).toBe(
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
  );
  expect(platform.systemRandom(100_000).length).toBe(100_000);
  expect(hex(platform.systemRandom(32))).not.toBe(hex(platform.systemRandom(32)));
});

test("a stream stays the same from version to version", () => {
  expect(hex(createPrg(seed, "mask", "layer 1").bytes(16))).toMatchInlineSnapshot(`"c6d9d759a04ca4dfbb1731fd19060f58"`);
  expect(hex(deriveSeed(seed, "client"))).toMatchInlineSnapshot(
    `"f47ab84db8eeffd02c64ed9fd0b76905c2a11c4d5950e3b49df7a5fb9879e03d"`,
  );
  expect(Array.from(createPrg(seed).ring([3], 20).data!)).toMatchInlineSnapshot(`
    [
      134018,
      459623,
      707190,
    ]
  `);
});

test("labels separate, and so do seeds and purposes", () => {
  const labels = [
    [],
    [""],
    ["", ""],
    ["a", "bc"],
    ["ab", "c"],
    ["abc"],
    ["a", "b", "c"],
    ["marillc seed"],
    ["\\ud800"],
  ];
  const streams = labels.flatMap((label) => [
    hex(createPrg(seed, ...label).bytes(32)),
    hex(deriveSeed(seed, ...label)),
    hex(createPrg(deriveSeed(seed, "x"), ...label).bytes(32)),
  ]);
  expect(new Set(streams).size).toBe(streams.length);
});

test.each(["\ud800", "\ud801", "\ufffd", "é", "a\n"])("the label %j opens no stream", (label) => {
  // Encoders replace halves of pairs by U+FFFD: under two labels, the streams were one.
  expect(() => createPrg(seed, "query", label)).toThrow(/printable ASCII/);
  expect(() => deriveSeed(seed, label)).toThrow(/printable ASCII/);
});

test("the same seed and label give the same stream, however it is drawn", () => {
  const whole = createPrg(seed, "a").bytes(700_000);
  const prg = createPrg(seed, "a");
  const parts = [1, 1023, 1, 4096, 16384, 65536, 300_000].map((count) => prg.bytes(count));
  const joined = Buffer.concat(parts);
  expect(joined.equals(whole.subarray(0, joined.length))).toBe(true);
  const { data } = createPrg(seed, "a").ring([1000], 64);
  expect(hex(new Uint8Array(data!.buffer))).toBe(hex(whole.subarray(0, 8000)));
});

test.each([1, 7, 31, 32, 33, 53, 63, 64])("residues of %d bits are uniform in every bit", (width) => {
  const count = 40_000;
  const { data } = createPrg(seed, "uniform").ring([count], width);
  const lanes = width <= 32 ? 1 : 2;
  for (let bit = 0; bit < 32 * lanes; bit++) {
    let ones = 0;
    for (let i = 0; i < count; i++) ones += (data![i * lanes + (bit >> 5)]! >>> (bit & 31)) & 1;
    // Six standard deviations of a fair coin.
    if (bit < width) expect(Math.abs(ones - count / 2)).toBeLessThan(3 * Math.sqrt(count));
    else expect(ones).toBe(0);
  }
});

test("seeds have 32 bytes", () => {
  expect(freshSeed().length).toBe(32);
  expect(hex(freshSeed())).not.toBe(hex(freshSeed()));
  expect(() => createPrg(seed.subarray(1))).toThrow(/32 bytes/);
  expect(() => deriveSeed(new Uint8Array(33))).toThrow(/32 bytes/);
});
