import type { EstimateOptions } from "../../compiler/estimate/index.ts";
import { runArchitecture } from "../../compiler/estimate/index.ts";
import { bytesText, countText } from "../../compiler/report/text/index.ts";
import { linkProfiles } from "../../runtime/transport/index.ts";
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

/** A shape that is small enough to run with everything private. */
export const measuredWorkload: SavingsSubject = { architecture: "llama-tiny", rank: 8 };
export const measuredQuery: Workload = { title: "measured", phase: "prefill", sequenceLength: 8 };

/** Queries of each row, of which the median counts; one more goes before, which compiles what the others run. */
const queries = 3;

/** Most that an output may be off from the interpreter's, as a part of the largest: wrong arithmetic is off by all of it. */
export const maxError = 0.05;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Processor seconds of a query of a row: the median, once the first has passed. */
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
  const worst = Math.max(...runs.map(({ error }) => error));
  if (!(worst < maxError)) throw new Error(`${system}, ${technique.name}: an output is off by ${worst} of the largest`);
  return median(runs.slice(1).map(({ seconds }) => seconds));
}

/** Every technique run on this machine, all parties in one thread; bytes and rounds are held against the count. */
export async function measuredTable(onRow: (row: string) => void = () => {}): Promise<string> {
  const titles = ["protocols", "private", "rounds", "bytes online", "of the dealer", "processor s", "×"];
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
