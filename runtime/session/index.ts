export { type Asked, windowAsked } from "./control.ts";
export { runDealer } from "./dealer-session.ts";
export { type HandshakeFields, handshake, protocolVersion } from "./handshake.ts";
export {
  type ClientSession,
  openClient,
  openServer,
  programsOf,
  type QueryResult,
  type ServerSession,
} from "./party-session.ts";
export {
  addBytes,
  explicitKeyBytes,
  type PhaseCost,
  type Prediction,
  predict,
  predictions,
  predictSetup,
} from "./predict.ts";
