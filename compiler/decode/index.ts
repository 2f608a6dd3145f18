export { type ClientSteps, clientSteps } from "./client-steps.ts";
export { type NextPlace, nextPlace, type SomePlaces } from "./next-place.ts";
export { placesInput } from "./write-places.ts";
