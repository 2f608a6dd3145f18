export { fromWeight, mapParts, once, zipParts } from "./replicated.ts";
