export type { Hello } from "./greeting.ts";
export { fingerprintOf, type Identity, type PeerPin, peerText, pinOf } from "./identity.ts";
export { type ConnectOptions, connect, type Listener, type ListenOptions, listen, type PeerAddress } from "./tls.ts";
export { workerChannel, workerLink } from "./worker-channel.ts";
