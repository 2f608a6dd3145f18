export { type CorrelationStore, createCorrelationStore } from "./correlation-store.ts";
export { countingParty, type DealerBytes, explicitKeyParty, noDealerBytes } from "./counting-party.ts";
export { dealerParty, onlineDealerParty } from "./dealer.ts";
export { onlineParty, preparingParty } from "./preparing-party.ts";
export { createStreams } from "./random-streams.ts";
