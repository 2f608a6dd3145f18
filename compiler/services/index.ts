export { startDealer } from "./dealer.ts";
export { examineMachine, examineParty, type Finding } from "./doctor.ts";
export { defaultMaxDealtBytes } from "./program-frame.ts";
export { askServer, openRemote, type RemoteSession } from "./query.ts";
export { startServer } from "./server.ts";
export type { Service } from "./service.ts";
