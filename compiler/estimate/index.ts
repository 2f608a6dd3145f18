export { architectures, type ShapeName, shapeNames } from "./architectures.ts";
export { checkGroups } from "./attention.ts";
export { countShape, type ShapeCount } from "./count.ts";
export type { ShapeOptions } from "./kit.ts";
export { type Adapters, parseOwnership, type ShapeOwnership, withAdapters } from "./ownership.ts";
export { runShape } from "./run.ts";
export { countTraffic, type ShapeTraffic } from "./traffic.ts";
