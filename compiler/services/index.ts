export { startDealer } from "./dealer-service.ts";
export { examineMachine, examineParty, type HealthCheck } from "./doctor-checks.ts";
export { defaultProgramLimits, type ProgramLimits } from "./program-plan.ts";
export { defaultPatienceSeconds } from "./reach-parties.ts";
export { openRemoteSession, queryServer, type RemoteSession } from "./remote-session.ts";
export { type AskedQuery, startServer } from "./server-service.ts";
export type { Endpoint, Service } from "./service.ts";
export { limitSpecs, type ServiceLimits } from "./service-limits.ts";
export { newSessionId } from "./session-agreement.ts";
