export { truncateFaithfully } from "./faithful-truncate.ts";
export { shiftOwnShare } from "./same-ring-truncate.ts";
