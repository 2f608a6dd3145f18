import { type NamedBytes, thirdPartyName } from "../../build/index.ts";
import { usedDirections } from "../../run/index.ts";
import type { CostReport, OperatorCost } from "../cost/index.ts";
import { bytesText, countText, secondsText } from "./format-units.ts";
import { textTable } from "./text-table.ts";

/** Number of rows shown of a long table; `--json` has all. */
const shownOperators = 40;

const sum = (bytes: NamedBytes): number => usedDirections(bytes).reduce((all, [, count]) => all + count, 0);
const traffic = ({ bytes, correlationBytes }: Pick<OperatorCost, "bytes" | "correlationBytes">): number =>
  sum(bytes) + sum(correlationBytes);

/** The report that `cost` prints. */
export function costText(report: CostReport): string {
  const parts = [`${report.name}, ${report.setting}: one query, payload of all parties together\n`, totalsText(report)];
  parts.push(partiesText(report));
  if (report.explicitKeys) parts.push(`keys of one party as SIGMA sends them: ${bytesText(report.explicitKeys)}\n`);
  if (report.failures > 0)
    parts.push(`expected number of failing elements per query: ${report.failures.toPrecision(3)}\n`);
  if (report.links) parts.push(linksText(report));
  parts.push(layersText(report), operatorsText(report));
  return parts.join("\n");
}

function totalsText({ totals }: CostReport): string {
  const rows = Object.entries(totals).flatMap(([phase, { rounds, bytes }]) => {
    const links = usedDirections(bytes);
    if (links.length === 0) return [[phase, rounds, "", "0"]];
    return links.map(([link, count], k) => [k === 0 ? phase : "", k === 0 ? rounds : "", link, countText(count)]);
  });
  const columns = [
    { title: "phase" },
    { title: "rounds", right: true },
    { title: "link" },
    { title: "bytes", right: true },
  ];
  return textTable(columns as Parameters<typeof textTable>[0], rows);
}

function partiesText({ parties }: CostReport): string {
  const rows = Object.entries(parties).map(([role, { sent, received }]) => [
    role,
    bytesText(sent),
    bytesText(received),
  ]);
  const numbers = ["sends", "receives"].map((title) => ({ title, right: true as const }));
  return textTable([{ title: "party, per query" }, ...numbers], rows);
}

function linksText({ links }: CostReport): string {
  const rows = links!.map(({ link, mbitPerSecond, roundTripMs, communicationSeconds }) => [
    link,
    `${mbitPerSecond} Mbit/s`,
    `${roundTripMs} ms`,
    ...Object.values(communicationSeconds).map(secondsText),
  ]);
  const titles = ["link", "bandwidth", "round trip", "setup", "offline", "online"];
  const table = textTable(
    titles.map((title) => ({ title, right: true as const })),
    rows,
  );
  return `${table}communication only: computation adds to these times\n`;
}

function layersText({ layers, setting }: CostReport): string {
  const rows = layers.map((layer) => [
    layer.layer || "elsewhere",
    layer.operators,
    layer.rounds,
    bytesText(sum(layer.bytes)),
    bytesText(sum(layer.correlationBytes)),
  ]);
  const titles = ["layer", "operators", "rounds", "online", `from the ${thirdPartyName(setting)}`];
  return textTable(
    titles.map((title, column) => (column === 0 ? { title } : { title, right: true as const })),
    rows,
  );
}

function operatorsText({ operators, setting }: CostReport): string {
  const costly = operators.filter((operator) => traffic(operator) > 0).sort((a, b) => traffic(b) - traffic(a));
  const rows = costly
    .slice(0, shownOperators)
    .map(({ name, operator, protocol, rounds, bytes, correlationBytes, origin }) => [
      name,
      operator,
      protocol,
      rounds,
      bytesText(sum(bytes)),
      bytesText(sum(correlationBytes)),
      origin,
    ]);
  const columns = ["value", "operator", "protocol"].map((title) => ({ title }));
  const numbers = ["rounds", "online", `from the ${thirdPartyName(setting)}`].map((title) => ({
    title,
    right: true as const,
  }));
  const left = costly.length - rows.length;
  const rest = left > 0 ? `${left} cheaper operators are not shown: --json lists all\n` : "";
  return `${textTable([...columns, ...numbers, { title: "node" }], rows)}${rest}`;
}
