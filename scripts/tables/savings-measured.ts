import type { EstimateOptions } from "../../compiler/estimate/index.ts";
import { bytesText, countText } from "../../compiler/report/text/index.ts";
import { linkProfiles } from "../../runtime/transport/index.ts";
import { runArchitecture } from "./run-architecture.ts";
import { markdownTable, sumBytes, timesLess } from "./savings.ts";
import {
  baseline,
  rowTraffic,
  type SavingsSubject,
  type System,
  systemOptions,
  systems,
  type Technique,
  techniqueOwnership,
  techniques,
  type Workload,
} from "./savings-rows.ts";

/** Small enough to run with everything private. */
export const measuredWorkload: SavingsSubject = { architecture: "llama-tiny", rank: 8 };
export const measuredQuery: Workload = { title: "measured", phase: "prefill", sequenceLength: 8 };

/** Queries of each row, of which the median counts. One more before them warms up the just-in-time compiler. */
const queries = 3;

/** Bound on an output's difference from the interpreter, relative to the largest output. Wrong arithmetic gives about 1. */
export const maxError = 0.05;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Processor seconds of a query of a row: the median without the first query. */
async function secondsOf(system: System, technique: Technique): Promise<number> {
  const { phase, sequenceLength } = measuredQuery;
  const { merge } = technique;
  const options: EstimateOptions = {
    phase,
    sequenceLength,
    ownership: techniqueOwnership(technique, measuredWorkload.rank),
    ...(merge !== undefined && { mergedHeads: merge }),
    ...systemOptions(system),
    select: { setting: "2pc-dealer", link: linkProfiles.wan, objective: "time" },
  };
  const runs = await runArchitecture(measuredWorkload.architecture, options, queries + 1);
  const largest = Math.max(...runs.map(({ error }) => error));
  if (!(largest < maxError))
    throw new Error(`${system}, ${technique.name}: expected a relative error below ${maxError}, found ${largest}`);
  return median(runs.slice(1).map(({ seconds }) => seconds));
}

/** Every technique run on this machine, all parties in one thread. @throws when bytes or rounds differ from the count */
export async function measuredTable(onRow: (row: string) => void = () => {}): Promise<string> {
  const titles = ["protocols", "private", "rounds", "bytes online", "from the dealer", "processor s", "×"];
  const rows: string[][] = [];
  for (const system of systems) {
    let from = 0;
    for (const technique of techniques) {
      onRow(`measuring ${system}: ${technique.name}`);
      const seconds = await secondsOf(system, technique);
      if (technique === baseline) from = seconds;
      const { rounds, online, offline } = rowTraffic(
        measuredWorkload,
        technique,
        measuredQuery,
        system,
        linkProfiles.wan,
      );
      const bytes = [online, offline].map((links) => bytesText(sumBytes(links)));
      rows.push([system, technique.name, countText(rounds), ...bytes, seconds.toFixed(2), timesLess(from / seconds)]);
    }
  }
  return markdownTable(titles, rows, 2);
}
