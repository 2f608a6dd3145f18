export { startDealer } from "./dealer-service.ts";
export { examineMachine, examineParty, type HealthCheck } from "./doctor-checks.ts";
export { defaultMaxDealtBytes } from "./program-frame.ts";
export { openRemoteSession, queryServer, type RemoteSession } from "./remote-session.ts";
export { type AskedQuery, startServer } from "./server-service.ts";
export type { Endpoint, Service } from "./service.ts";
export { newSessionId } from "./session-agreement.ts";
