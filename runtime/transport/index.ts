export { aroundChannel } from "./around-channel.ts";
export {
  type Channel,
  type ChannelOptions,
  type ChannelTraffic,
  defaultMostWaitMs,
  type ExpectedFrame,
  type FrameHeader,
  type FrameKind,
  type FramePort,
  frameKinds,
  headerBytes,
  slowestLink,
} from "./channel.ts";
export { nowMs } from "./clock.ts";
export { FrameQueue } from "./frame-queue.ts";
export { FramedChannel } from "./framed-channel.ts";
export { type LinkProfile, linkProfiles, parseLink, transmissionMs } from "./link-profile.ts";
export { memoryPair } from "./memory-channel.ts";
export { shaped, shapedPair } from "./shaped-channel.ts";
