import type { ShapeCount } from "../../compiler/estimate/index.ts";
import { runShape } from "../../compiler/estimate/index.ts";
import { bytesText, countText } from "../../compiler/report/text/index.ts";
import { links } from "../../runtime/transport/index.ts";
import { sum, table, times } from "./gains.ts";
import {
  baseline,
  ownershipOf,
  type Question,
  type Subject,
  type System,
  systemOf,
  systems,
  type Technique,
  techniques,
  trafficOfRow,
} from "./gains-rows.ts";

/** A shape that is small enough to run with everything private. */
export const measured: Subject = { shape: "llama-tiny", rank: 8 };
export const measuredQuestion: Question = { title: "measured", phase: "prefill", seq: 8 };

/** Queries of each row, of which the median counts; one more goes before, which compiles what the others run. */
const queries = 3;

/** Most that an output may be off from the interpreter's, as a part of the largest: wrong arithmetic is off by all of it. */
export const mostError = 0.05;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Processor seconds of a query of a row: the median, once the first has passed. */
async function secondsOf(system: System, technique: Technique): Promise<number> {
  const { phase, seq } = measuredQuestion;
  const { merge } = technique;
  const options: ShapeCount = {
    phase,
    seq,
    private: ownershipOf(technique, measured.rank),
    ...(merge !== undefined && { merge }),
    ...systemOf(system),
    select: { setting: "2pc-dealer", link: links.wan, objective: "time" },
  };
  const runs = await runShape(measured.shape, options, queries + 1);
  const worst = Math.max(...runs.map(({ error }) => error));
  if (!(worst < mostError))
    throw new Error(`${system}, ${technique.name}: an output is off by ${worst} of the largest`);
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
      const { rounds, online, offline } = trafficOfRow(measured, technique, measuredQuestion, system, links.wan);
      const bytes = [online, offline].map((links) => bytesText(sum(links)));
      rows.push([system, technique.name, countText(rounds), ...bytes, seconds.toFixed(2), times(from / seconds)]);
    }
  }
  return table(titles, rows, 2);
}
