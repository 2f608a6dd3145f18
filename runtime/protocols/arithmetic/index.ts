export { convolutionOf, windowsOf } from "./window-attributes.ts";
