/** Node-only parts: sockets and threads. Everything else is in runtime/index.ts, which a browser can load. */
export {
  type ConnectOptions,
  connect,
  fingerprintOf,
  type Hello,
  type Identity,
  type Listener,
  type ListenOptions,
  listen,
  workerChannel,
  workerLink,
} from "./transport/node/index.ts";
