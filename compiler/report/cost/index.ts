export { type Budget, budgetExcess, checkBudget, readBudget } from "./budget.ts";
export { type CostReport, costReport, type DecodeCost, decodeCost, type OperatorCost } from "./cost-report.ts";
export { type GuardCost, guardCost } from "./guard-cost.ts";
export { kernelWork } from "./kernel-work.ts";
export { layerName } from "./layer-name.ts";
export { networkTime } from "./network-time.ts";
