/** The primitives that differ between Node and browsers: runtime/core/random.ts builds on them. */
export interface Platform {
  /** An AES-128-CTR keystream with a 128-bit big-endian counter; every call continues where the last one ended. */
  keystream(key: Uint8Array, counter: Uint8Array): (bytes: number) => Uint8Array;
  /** HKDF-SHA256 with an empty salt (RFC 5869). */
  expand(secret: Uint8Array, info: Uint8Array, bytes: number): Uint8Array;
  /** Random bytes from the operating system. */
  systemRandom(bytes: number): Uint8Array;
}
