export { mapComponents, mapSecondComponent, shareWeight, zipComponents } from "./replicated-sharing.ts";
