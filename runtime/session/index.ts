export { runDealer } from "./dealer-session.ts";
export { type HandshakeFields, handshake, protocolVersion } from "./handshake.ts";
export {
  type ClientSession,
  openClient,
  openServer,
  type QueryResult,
  type ServerSession,
  sessionPrograms,
} from "./party-session.ts";
export {
  addBytes,
  createPredictor,
  explicitKeyBytes,
  type PhaseCost,
  type Prediction,
  predict,
  predictSetup,
} from "./predict.ts";
export { isRecordName, prefillStart, type QueryPosition } from "./requests.ts";
export { hasServerInputs, type ServerInputs, type ServerQuery } from "./server-inputs.ts";
