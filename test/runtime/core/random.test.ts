import { hkdfSync } from "node:crypto";
import { expect, test } from "vitest";
import { createPrg, deriveSeed, freshSeed, joinSeeds } from "../../../runtime/core/random.ts";
import * as browser from "../../../runtime/platform/browser.ts";
import * as node from "../../../runtime/platform/node.ts";
import type { Platform } from "../../../runtime/platform/platform.ts";
import { exchangeSeeds } from "../../../runtime/session/session-seeds.ts";
import type { Channel } from "../../../runtime/transport/channel.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";

const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const platforms: Record<string, Platform> = { node, browser };

test("both platforms give the same keystream, whatever the sizes of the draws", () => {
  for (const nonce of [new Uint8Array(12), new Uint8Array(12).fill(255)]) {
    const [a, b] = [node.keystream(seed, nonce), browser.keystream(seed, nonce)];
    for (const bytes of [1, 15, 16, 17, 1024, 5000, 0, 262144, 3]) expect(hex(b(bytes))).toBe(hex(a(bytes)));
  }
});

test("both platforms expand as HKDF of Node does, whatever the sizes and however often", () => {
  for (const [size, bytes] of [
    [32, 44],
    [64, 32],
    [100, 97],
    [32, 1],
    [32, 0],
  ] as const) {
    const secret = node.systemRandom(size);
    for (const info of [new Uint8Array(0), node.systemRandom(70)]) {
      const expected = hex(new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(0), info, bytes)));
      for (const platform of [node, browser, node]) expect(hex(platform.expand(secret, info, bytes))).toBe(expected);
    }
  }
});

test.each(Object.entries(platforms))("%s: published vectors", (_, platform) => {
  // RFC 8439, appendix A.1, vectors 1 and 2: blocks 0 and 1 of key and nonce 0; vector 5: another nonce.
  expect(hex(platform.keystream(new Uint8Array(32), new Uint8Array(12))(128))).toBe(
    "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586" +
      "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
  );
  const nonce = new Uint8Array(12).fill(2, 11);
  expect(hex(platform.keystream(new Uint8Array(32), nonce)(32))).toBe(
    "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7",
  );
  // RFC 5869, test case 3: no salt, no info.
  expect(hex(platform.expand(new Uint8Array(22).fill(0x0b), new Uint8Array(0), 42))).toBe(
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
  );
  expect(platform.systemRandom(100_000).length).toBe(100_000);
  expect(hex(platform.systemRandom(32))).not.toBe(hex(platform.systemRandom(32)));
});

test("a stream stays the same from version to version", () => {
  expect(hex(createPrg(seed, "mask", "layer 1").bytes(16))).toMatchInlineSnapshot(`"f8266ea2c2253233e80434add6c1ae1b"`);
  expect(hex(deriveSeed(seed, "client"))).toMatchInlineSnapshot(
    `"f47ab84db8eeffd02c64ed9fd0b76905c2a11c4d5950e3b49df7a5fb9879e03d"`,
  );
  expect(Array.from(createPrg(seed).ring([3], 20).data!)).toMatchInlineSnapshot(`
    [
      296814,
      792033,
      350306,
    ]
  `);
});

test("a seed of two parties depends on both halves, in their order", () => {
  const [a, b, c] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte)) as [Uint8Array, Uint8Array, Uint8Array];
  const seeds = [joinSeeds(a, b), joinSeeds(b, a), joinSeeds(a, c), joinSeeds(c, b), a, b];
  expect(new Set(seeds.map(hex)).size).toBe(seeds.length);
  expect(() => joinSeeds(a.subarray(1), b)).toThrow(RangeError);
});

test("client and server exchange halves, and neither half is their seed", async () => {
  const [atClient, atServer] = memoryPair("client", "server");
  const [clientDealer, dealerClient] = memoryPair("client", "dealer");
  const [serverDealer, dealerServer] = memoryPair("server", "dealer");
  await Promise.all([dealerClient.send(new Uint8Array(32)), dealerServer.send(new Uint8Array(32))]);
  const sent: Uint8Array[] = [];
  const watched = (channel: Channel): Channel => {
    const send = channel.send.bind(channel);
    return Object.assign(channel, {
      send: (bytes: Uint8Array) => {
        sent.push(bytes.slice());
        return send(bytes);
      },
    });
  };
  const tensors = new Map();
  const [mine, theirs] = await Promise.all([
    exchangeSeeds({ peer: watched(atClient), dealer: clientDealer, tensors }, "client", {}),
    exchangeSeeds({ peer: watched(atServer), dealer: serverDealer, tensors }, "server", {}),
  ]);
  expect(sent).toHaveLength(2);
  expect(mine.seeds.sharedSeed).toEqual(theirs.seeds.sharedSeed);
  const joint = [joinSeeds(sent[0]!, sent[1]!), joinSeeds(sent[1]!, sent[0]!)].map(hex);
  expect(joint).toContain(hex(mine.seeds.sharedSeed));
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
