import { createCipheriv, createHmac, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import type { Platform } from "./platform.ts";

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

const noSalt = new Uint8Array(32);
const digestBytes = 32;
/** The extracted keys of secrets, as long as the secrets are held: a program derives thousands of streams from one. */
const extracted = new WeakMap<Uint8Array, KeyObject>();

/** HKDF (RFC 5869), in its steps: hkdfSync extracts anew each time, and takes twice as long. */
export const expand: Platform["expand"] = (secret, info, bytes) => {
  let key = extracted.get(secret);
  if (!key) {
    key = createSecretKey(createHmac("sha256", noSalt).update(secret).digest());
    extracted.set(secret, key);
  }
  const out = new Uint8Array(digestBytes * Math.ceil(bytes / digestBytes));
  let block = out.subarray(0, 0);
  for (let at = 0, counter = 1; at < bytes; at += digestBytes, counter++) {
    block = createHmac("sha256", key).update(block).update(info).update(Uint8Array.of(counter)).digest();
    out.set(block, at);
  }
  return out.subarray(0, bytes);
};

export const systemRandom: Platform["systemRandom"] = (bytes) => new Uint8Array(randomBytes(bytes));
