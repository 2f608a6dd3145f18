/** The primitives that differ between Node and browsers: runtime/core/random.ts builds on them. */
export interface Platform {
  /**
   * A ChaCha20 keystream (RFC 8439) of a 32-byte key and a 12-byte nonce, from block 0; every call continues where the
   * last one ended. It adds, rotates and XORs, and has no tables: also in a browser, no time depends on the key.
   */
  keystream(key: Uint8Array, nonce: Uint8Array): (bytes: number) => Uint8Array;
  /** HKDF-SHA256 with an empty salt (RFC 5869). The bytes of a secret must not change between calls. */
  expand(secret: Uint8Array, info: Uint8Array, bytes: number): Uint8Array;
  /** Random bytes from the operating system. */
  systemRandom(bytes: number): Uint8Array;
}
