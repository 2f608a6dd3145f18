import { createCipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { Platform } from "./platform.ts";

const noSalt = new Uint8Array(0);

export const keystream: Platform["keystream"] = (key, counter) => {
  const cipher = createCipheriv("aes-128-ctr", key, counter);
  let blank = new Uint8Array(0);
  return (bytes) => {
    if (blank.length < bytes) blank = new Uint8Array(bytes);
    return cipher.update(blank.subarray(0, bytes));
  };
};

export const expand: Platform["expand"] = (secret, info, bytes) =>
  new Uint8Array(hkdfSync("sha256", secret, noSalt, info, bytes));

export const systemRandom: Platform["systemRandom"] = (bytes) => new Uint8Array(randomBytes(bytes));
