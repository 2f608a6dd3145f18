export type { Channel, Traffic } from "./channel.ts";
export { type LinkProfile, links, parseLink, transmissionMs } from "./link.ts";
export { memoryPair } from "./memory.ts";
export { shaped, shapedPair } from "./shaped.ts";
