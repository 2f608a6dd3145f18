export { countingParty, type DealerBytes, explicitParty, noDealerBytes } from "./count.ts";
export { dealerOnline, dealerParty } from "./dealer.ts";
export { onlineParty, preparingParty } from "./prepare.ts";
export { createStock, type Stock } from "./stock.ts";
export { createStreams } from "./streams.ts";
