import type { Objective } from "../../../passes/5-select/cheapest.ts";
import type { ChosenFor } from "../../build/index.ts";
import { dealerName } from "../../build/index.ts";

const least: Readonly<Record<Objective, (dealer: string) => string>> = {
  time: (dealer) => `least time, the ${dealer}'s part included,`,
  online: () => "least time from the input on,",
  total: (dealer) => `fewest bytes, the ${dealer}'s included,`,
};

export function chosenForText({ link, objective }: ChosenFor, setting: string): string {
  const { name, mbitPerSecond, roundTripMs } = link;
  const numbers = `${mbitPerSecond} Mbit/s, ${roundTripMs} ms`;
  return `protocols chosen for the ${least[objective](dealerName(setting))} on ${/^\d/.test(name) ? numbers : `${name} (${numbers})`}`;
}
