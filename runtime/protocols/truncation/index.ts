export { truncateFaithfully } from "./faithful-truncate.ts";
export { shiftOwn } from "./same-ring-truncate.ts";
