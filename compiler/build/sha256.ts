import { createHash } from "node:crypto";

/** SHA-256 in lowercase hex digits; of a text, over its UTF-8 bytes. */
export const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");
