export { exceeded, readBudget } from "./budget.ts";
export { type CostReport, costReport, type DecodeCost, decodeCost, type OperatorCost } from "./cost.ts";
export { createNoise, errorBound, errorBounds } from "./error-bound.ts";
export { kernelsOf } from "./kernels.ts";
export { layerOf } from "./layers.ts";
export { networkTime } from "./network.ts";
