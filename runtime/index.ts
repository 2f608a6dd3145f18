/** The runtime of a party, in Node or a browser. Node-only parts (TLS, workers) are in ./node.ts. */

export { SessionError } from "./core/errors.ts";
export type { Handle, KnownWeight, Party, Share, Wire } from "./core/party.ts";
export { type Link, parallel, type Role, type Steps } from "./core/steps.ts";
export { type LocalOp, local } from "./program/local.ts";
export type { KeptDecl, OutputDecl, Program, Toolbox, WeightDecl, WeightHandle } from "./program/program.ts";
export { toolbox } from "./program/toolbox.ts";
export * as protocols from "./protocols/index.ts";
export type { Fixed, Protocol, Spec } from "./protocols/kit/define.ts";
export { type IntTensor, integers, type RingTensor } from "./ring/tensor.ts";
export { runDealer } from "./session/dealer-session.ts";
export { type HandshakeFields, handshake, protocolVersion } from "./session/handshake.ts";
export {
  type ClientSession,
  openClient,
  openServer,
  type QueryResult,
  type ServerSession,
} from "./session/party-session.ts";
export { type LinkBytes, type Prediction, predict } from "./session/predict.ts";
export type { Channel, Traffic } from "./transport/channel.ts";
export { type LinkProfile, links, parseLink } from "./transport/link.ts";
export { memoryPair } from "./transport/memory.ts";
export { shapedPair } from "./transport/shaped.ts";
