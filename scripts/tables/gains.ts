import type { ShapeTraffic } from "../../compiler/estimate/index.ts";
import { networkTime } from "../../compiler/report/cost/index.ts";
import { bytesText, countText, secondsText } from "../../compiler/report/text/index.ts";
import type { LinkBytes } from "../../runtime/core/index.ts";
import type { LinkProfile } from "../../runtime/transport/index.ts";
import {
  baseline,
  type Question,
  type Subject,
  type System,
  systems,
  tableLinks,
  techniques,
  trafficOfRow,
} from "./gains-rows.ts";

/** One row of a table: what a query sends, and how long the link takes for it. */
export interface Gain {
  readonly technique: string;
  readonly system: System;
  readonly link: string;
  readonly traffic: ShapeTraffic;
  readonly bytes: { readonly online: number; readonly offline: number; readonly setup: number };
  readonly seconds: { readonly online: number; readonly offline: number; readonly setup: number };
}

export const sum = (bytes: LinkBytes): number => Object.values(bytes).reduce((all, count) => all + count, 0);

function gainOf(technique: string, system: System, link: LinkProfile, traffic: ShapeTraffic): Gain {
  const phase = (rounds: number, bytes: LinkBytes) => ({ rounds, bytes: { ...bytes } });
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
    bytes: { online: sum(online), offline: sum(offline), setup: sum(setup) },
    seconds: communicationSeconds,
  };
}

/** Every technique of a question, by system and link. `onRow` hears of each before it is counted. */
export function gainsOf(
  subject: Subject,
  question: Question,
  onRow: (row: string) => void = () => {},
): readonly Gain[] {
  return systems.flatMap((system) =>
    tableLinks.flatMap((link) =>
      techniques.map((technique) => {
        onRow(`${question.title}, ${system}, ${link.name}: ${technique.name}`);
        return gainOf(technique.name, system, link, trafficOfRow(subject, technique, question, system, link));
      }),
    ),
  );
}

/** How many times less than with every layer private, for the same system and link. */
export interface Ratios {
  readonly onlineBytes: number;
  readonly bytes: number;
  /** Of a session of one query: what is sent once for a session included. */
  readonly sessionBytes: number;
  readonly onlineTime: number;
  readonly time: number;
}

export function ratiosOf(gain: Gain, all: readonly Gain[]): Ratios {
  const { system, link } = gain;
  const from = all.find((g) => g.technique === baseline.name && g.system === system && g.link === link)!;
  const whole = ({ online, offline }: Gain["bytes"]): number => online + offline;
  return {
    onlineBytes: from.bytes.online / gain.bytes.online,
    bytes: whole(from.bytes) / whole(gain.bytes),
    sessionBytes: (from.bytes.setup + whole(from.bytes)) / (gain.bytes.setup + whole(gain.bytes)),
    onlineTime: from.seconds.online / gain.seconds.online,
    time: whole(from.seconds) / whole(gain.seconds),
  };
}

export const markdown = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
/** Titles, the rule below them with numbers to the right behind the first `texts` columns, and rows. */
export const table = (
  titles: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  texts: number,
): string => [titles, titles.map((_, k) => (k < texts ? "---" : "---:")), ...rows].map(markdown).join("\n");

export const times = (ratio: number): string => `${ratio < 9.95 ? ratio.toFixed(2) : ratio.toFixed(1)}×`;

/** Rounds, bytes and seconds of every row of a question; as Markdown. */
export function gainsTable(gains: readonly Gain[]): string {
  const titles = [
    "protocols, link",
    "private",
    "rounds",
    "bytes online",
    "of the dealer",
    "× online",
    "× in all",
    "time online",
    "in all",
    "× online",
    "× in all",
  ];
  const rows = gains.map((gain) => {
    const { bytes, seconds, traffic } = gain;
    const ratios = ratiosOf(gain, gains);
    return [
      `${gain.system}, ${gain.link}`,
      gain.technique,
      countText(traffic.rounds),
      bytesText(bytes.online),
      bytesText(bytes.offline),
      times(ratios.onlineBytes),
      times(ratios.bytes),
      secondsText(seconds.online),
      secondsText(seconds.online + seconds.offline),
      times(ratios.onlineTime),
      times(ratios.time),
    ];
  });
  return table(titles, rows, 2);
}

/**
 * All questions side by side, how many times less: seconds on either link; bytes of a query, the dealer's included, and
 * of a session of one query, as chosen for the wide-area link.
 */
export function summaryTable(byQuestion: ReadonlyMap<string, readonly Gain[]>): string {
  const titles = ["protocols", "private", ...byQuestion.keys()];
  const rows = systems.flatMap((system) =>
    techniques.slice(1).map(({ name }) => [
      system,
      name,
      ...[...byQuestion.values()].map((gains) => {
        const of = (link: LinkProfile): Ratios =>
          ratiosOf(gains.find((g) => g.system === system && g.link === link.name && g.technique === name)!, gains);
        const [lan, wan] = tableLinks.map(of) as [Ratios, Ratios];
        return [lan.time, wan.time, wan.bytes, wan.sessionBytes].map(times).join(", ");
      }),
    ]),
  );
  return table(titles, rows, 2);
}

/** What is sent once for each session, and what each party multiplies for each query, of rows chosen for the last link. */
export function workTable(byQuestion: ReadonlyMap<string, readonly Gain[]>): string {
  const titles = ["protocols", "private", "once for a session", ...byQuestion.keys()];
  const rows = systems.flatMap((system) =>
    techniques.map(({ name }) => {
      const mine = [...byQuestion.values()].map(
        (gains) =>
          gains.find((g) => g.system === system && g.link === tableLinks.at(-1)!.name && g.technique === name)!,
      );
      const work = mine.map(({ traffic: { multiplyAdds } }) =>
        [multiplyAdds.client, multiplyAdds.server, multiplyAdds.dealer].map(workText).join(" + "),
      );
      return [system, name, bytesText(mine[0]!.bytes.setup), ...work];
    }),
  );
  return table(titles, rows, 2);
}

/** 10^9 multiply-adds. */
const workText = (count: number): string => {
  const giga = count / 1e9;
  return giga < 9.95 ? giga.toFixed(2) : giga < 99.5 ? giga.toFixed(1) : countText(Math.round(giga));
};
