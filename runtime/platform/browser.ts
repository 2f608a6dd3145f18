import { chacha20 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { Platform } from "./platform.ts";

const BLOCK = 64;
/** Limit of one call of getRandomValues, in bytes. */
const QUOTA = 65536;

export const keystream: Platform["keystream"] = (key, nonce) => {
  let block = 0;
  let rest = new Uint8Array(0);
  return (bytes) => {
    const out = new Uint8Array(bytes);
    const kept = Math.min(bytes, rest.length);
    out.set(rest.subarray(0, kept));
    rest = rest.subarray(kept);
    if (kept < bytes) {
      const blocks = Math.ceil((bytes - kept) / BLOCK);
      const stream = chacha20(key, nonce, new Uint8Array(blocks * BLOCK), undefined, block);
      block += blocks;
      out.set(stream.subarray(0, bytes - kept), kept);
      rest = stream.slice(bytes - kept);
    }
    return out;
  };
};

export const expand: Platform["expand"] = (secret, info, bytes) => hkdf(sha256, secret, undefined, info, bytes);

export const systemRandom: Platform["systemRandom"] = (bytes) => {
  const out = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += QUOTA) globalThis.crypto.getRandomValues(out.subarray(at, at + QUOTA));
  return out;
};
