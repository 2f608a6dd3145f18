/** What only Node has: sockets and threads. Everything else is in runtime/index.ts, which a browser can load. */
export type { Hello } from "./transport/greeting.ts";
export { fingerprintOf, type Identity } from "./transport/identity.ts";
export { type ConnectOptions, connect, type Listener, type ListenOptions, listen } from "./transport/tls.ts";
export { workerChannel, workerLink } from "./transport/worker-channel.ts";
