import { createCipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { Platform } from "./platform.ts";

const noSalt = new Uint8Array(0);

export const keystream: Platform["keystream"] = (key, nonce) => {
  // OpenSSL takes the counter of the first block, 32 bits, before the nonce.
  const cipher = createCipheriv("chacha20", key, Uint8Array.from([0, 0, 0, 0, ...nonce]));
  return (bytes) => {
    if (blank.length < bytes) blank = new Uint8Array(bytes);
    return cipher.update(blank.subarray(0, bytes));
  };
};

/** Zeros as long as the longest draw: pages that nobody writes take no memory. */
let blank = new Uint8Array(0);

export const expand: Platform["expand"] = (secret, info, bytes) =>
  new Uint8Array(hkdfSync("sha256", secret, noSalt, info, bytes));

export const systemRandom: Platform["systemRandom"] = (bytes) => new Uint8Array(randomBytes(bytes));
