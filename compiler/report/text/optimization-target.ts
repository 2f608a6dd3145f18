import type { Objective } from "../../../passes/5-select/index.ts";
import { type OptimizationTarget, thirdPartyName } from "../../build/index.ts";

const objectiveTexts: Readonly<Record<Objective, (dealer: string) => string>> = {
  time: (dealer) => `least time, the ${dealer}'s part included,`,
  online: () => "least time from the input on,",
  total: (dealer) => `fewest bytes, the ${dealer}'s included,`,
};

/** One line on what the compiler minimized, and on which link. */
export function optimizationTargetText({ link, objective }: OptimizationTarget, setting: string): string {
  const { name, mbitPerSecond, roundTripMs } = link;
  const numbers = `${mbitPerSecond} Mbit/s, ${roundTripMs} ms`;
  return `protocols chosen for the ${objectiveTexts[objective](thirdPartyName(setting))} on ${/^\d/.test(name) ? numbers : `${name} (${numbers})`}`;
}
