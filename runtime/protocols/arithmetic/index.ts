export { convolutionOf, windowsOf } from "./convolution.ts";
