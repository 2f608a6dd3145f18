export { exponential, exponentWidth } from "./exponential.ts";
export {
  type OctavePlan,
  octaveRelativeError,
  octaveResultWidth,
  octaveScale,
  octaves,
  octaveWireWidth,
  planOctaves,
} from "./octaves.ts";
