export {
  type Channel,
  type ChannelOptions,
  type ChannelTraffic,
  type FrameHeader,
  type FrameKind,
  type FramePort,
  frameKinds,
  headerBytes,
} from "./channel.ts";
export { nowMs } from "./clock.ts";
export { FrameQueue } from "./frame-queue.ts";
export { FramedChannel } from "./framed-channel.ts";
export { type LinkProfile, linkProfiles, parseLink, transmissionMs } from "./link-profile.ts";
export { memoryPair } from "./memory-channel.ts";
export type { Hello } from "./node/greeting.ts";
export { fingerprintOf, type Identity } from "./node/identity.ts";
export { type ConnectOptions, connect, type Listener, type ListenOptions, listen } from "./node/tls.ts";
export { workerChannel, workerLink } from "./node/worker-channel.ts";
export { shaped, shapedPair } from "./shaped-channel.ts";
