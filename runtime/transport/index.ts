export type { Channel, ChannelTraffic } from "./channel.ts";
export { type LinkProfile, linkProfiles, parseLink, transmissionMs } from "./link-profile.ts";
export { memoryPair } from "./memory-channel.ts";
export { shaped, shapedPair } from "./shaped-channel.ts";
export { workerChannel, workerLink } from "./worker-channel.ts";
