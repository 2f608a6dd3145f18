/** The runtime of a party, for Node and browsers. Node-only parts (TLS, workers) are in ./node.ts. */

export type { BytesByDirection, KnownWeight, MaskedValue, Party, Share, SharedValue } from "./core/index.ts";
export { type Direction, parallel, type Role, SessionError, type Steps, type Transfer } from "./core/index.ts";
export type { CachedDecl, HeldWeight, InputDecl, OutputDecl, Program, Toolbox, WeightDecl } from "./program/index.ts";
export { type Excess, type LocalOp, local, type QuantizedInput, quantizeInput, toolbox } from "./program/index.ts";
export * as protocols from "./protocols/index.ts";
export { defineProtocol, type Fixed, type Protocol, type Spec } from "./protocols/kit/index.ts";
/** Kernels over residues: what the body of a protocol computes with. */
export * as ring from "./ring/index.ts";
export { type IntTensor, intTensor, type RingTensor } from "./ring/index.ts";
export {
  type ClientSession,
  type HandshakeFields,
  handshake,
  openClient,
  openServer,
  type Prediction,
  predict,
  protocolVersion,
  type QueryResult,
  runDealer,
  type ServerSession,
} from "./session/index.ts";
export type { Channel, ChannelTraffic } from "./transport/index.ts";
export { type LinkProfile, linkProfiles, memoryPair, parseLink, shapedPair } from "./transport/index.ts";
