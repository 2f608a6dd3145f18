import { networkTime } from "../../compiler/report/cost/index.ts";
import { bytesText, countText, secondsText } from "../../compiler/report/text/index.ts";
import type { BytesByDirection } from "../../runtime/core/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import type { QueryTraffic } from "./count-traffic.ts";
import {
  baseline,
  rowTraffic,
  type SavingsSubject,
  type System,
  systems,
  tableLinks,
  techniques,
  type Workload,
} from "./savings-rows.ts";

/** One row of a table: what a query sends, and how long the link takes. */
export interface Savings {
  readonly technique: string;
  readonly system: System;
  readonly link: string;
  readonly traffic: QueryTraffic;
  readonly bytes: { readonly online: number; readonly offline: number; readonly setup: number };
  readonly seconds: { readonly online: number; readonly offline: number; readonly setup: number };
}

export const sumBytes = (bytes: BytesByDirection): number =>
  Object.values(bytes).reduce((all, count) => all + count, 0);

function savingsOf(technique: string, system: System, link: LinkProfile, traffic: QueryTraffic): Savings {
  const phase = (rounds: number, bytes: BytesByDirection) => ({ rounds, bytes: { ...bytes } });
  const { online, offline, setup, rounds } = traffic;
  const { communicationSeconds } = networkTime(
    { online: phase(rounds, online), offline: phase(0, offline), setup: phase(1, setup) },
    link,
  );
  return {
    technique,
    system,
    link: link.name,
    traffic,
    bytes: { online: sumBytes(online), offline: sumBytes(offline), setup: sumBytes(setup) },
    seconds: communicationSeconds,
  };
}

/** Every technique for one workload, by system and link. `onRow` is called before each is counted. */
export function countSavings(
  subject: SavingsSubject,
  workload: Workload,
  onRow: (row: string) => void = () => {},
): readonly Savings[] {
  return systems.flatMap((system) =>
    tableLinks.flatMap((link) =>
      techniques.map((technique) => {
        onRow(`${workload.title}, ${system}, ${link.name}: ${technique.name}`);
        return savingsOf(technique.name, system, link, rowTraffic(subject, technique, workload, system, link));
      }),
    ),
  );
}

/** How many times less than with every layer private, with the same system and link. */
export interface Ratios {
  readonly onlineBytes: number;
  readonly bytes: number;
  /** Of a session of one query, setup included. */
  readonly sessionBytes: number;
  readonly onlineTime: number;
  readonly time: number;
}

export function savingsRatios(savings: Savings, all: readonly Savings[]): Ratios {
  const { system, link } = savings;
  const from = all.find((g) => g.technique === baseline.name && g.system === system && g.link === link)!;
  const total = ({ online, offline }: Savings["bytes"]): number => online + offline;
  return {
    onlineBytes: from.bytes.online / savings.bytes.online,
    bytes: total(from.bytes) / total(savings.bytes),
    sessionBytes: (from.bytes.setup + total(from.bytes)) / (savings.bytes.setup + total(savings.bytes)),
    onlineTime: from.seconds.online / savings.seconds.online,
    time: total(from.seconds) / total(savings.seconds),
  };
}

export const markdownRow = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
/** A table as Markdown: the first `texts` columns are texts, the others are numbers. */
export const markdownTable = (
  titles: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  texts: number,
): string => [titles, titles.map((_, k) => (k < texts ? "---" : "---:")), ...rows].map(markdownRow).join("\n");

export const timesLess = (ratio: number): string => `${ratio < 9.95 ? ratio.toFixed(2) : ratio.toFixed(1)}×`;

/** Rounds, bytes and seconds of every row of a workload; as Markdown. */
export function savingsTable(savings: readonly Savings[]): string {
  const titles = [
    "protocols, link",
    "private",
    "rounds",
    "bytes online",
    "from the dealer",
    "× online",
    "× total",
    "time online",
    "total",
    "× online",
    "× total",
  ];
  const rows = savings.map((row) => {
    const { bytes, seconds, traffic } = row;
    const ratios = savingsRatios(row, savings);
    return [
      `${row.system}, ${row.link}`,
      row.technique,
      countText(traffic.rounds),
      bytesText(bytes.online),
      bytesText(bytes.offline),
      timesLess(ratios.onlineBytes),
      timesLess(ratios.bytes),
      secondsText(seconds.online),
      secondsText(seconds.online + seconds.offline),
      timesLess(ratios.onlineTime),
      timesLess(ratios.time),
    ];
  });
  return markdownTable(titles, rows, 2);
}

/**
 * All workloads side by side, each as how many times less: seconds on either link, bytes of a query with the dealer's,
 * and bytes of a session of one query. Bytes are those of the protocols chosen for the wide-area link.
 */
export function summaryTable(byWorkload: ReadonlyMap<string, readonly Savings[]>): string {
  const titles = ["protocols", "private", ...byWorkload.keys()];
  const rows = systems.flatMap((system) =>
    techniques.slice(1).map(({ name }) => [
      system,
      name,
      ...[...byWorkload.values()].map((rows) => {
        const of = (link: LinkProfile): Ratios =>
          savingsRatios(rows.find((g) => g.system === system && g.link === link.name && g.technique === name)!, rows);
        const [lan, wan] = tableLinks.map(of) as [Ratios, Ratios];
        return [lan.time, wan.time, wan.bytes, wan.sessionBytes].map(timesLess).join(", ");
      }),
    ]),
  );
  return markdownTable(titles, rows, 2);
}

/** Setup bytes of a session and each party's multiply-adds of a query, with the protocols chosen for the last link. */
export function workTable(byWorkload: ReadonlyMap<string, readonly Savings[]>): string {
  const titles = ["protocols", "private", "once per session", ...byWorkload.keys()];
  const rows = systems.flatMap((system) =>
    techniques.map(({ name }) => {
      const mine = [...byWorkload.values()].map(
        (rows) => rows.find((g) => g.system === system && g.link === tableLinks.at(-1)!.name && g.technique === name)!,
      );
      const work = mine.map(({ traffic: { multiplyAdds } }) =>
        [multiplyAdds.client, multiplyAdds.server, multiplyAdds.dealer].map(workText).join(" + "),
      );
      return [system, name, bytesText(mine[0]!.bytes.setup), ...work];
    }),
  );
  return markdownTable(titles, rows, 2);
}

/** 10^9 multiply-adds. */
const workText = (count: number): string => {
  const giga = count / 1e9;
  return giga < 9.95 ? giga.toFixed(2) : giga < 99.5 ? giga.toFixed(1) : countText(Math.round(giga));
};
