import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { countSavings, type Savings, savingsRatios, savingsTable } from "../../scripts/tables/savings.ts";
import { countedSubject, workloads } from "../../scripts/tables/savings-rows.ts";

const page = new URL("../../docs/savings.md", import.meta.url);
const end = "<!-- end -->";
/** The question that is counted in seconds; `npm run savings -- --check` holds the others. */
const cheap = workloads.find(({ phase }) => phase === "decode")!;
const savings = countSavings(countedSubject, cheap);

const find = (technique: string, { system, link }: Pick<Savings, "system" | "link">): Savings =>
  savings.find((row) => row.technique === technique && row.system === system && row.link === link)!;
const ofEach = [...new Set(savings.map(({ system, link }) => `${system} ${link}`))].map((text) => {
  const [system, link] = text.split(" ") as [Savings["system"], string];
  return { system, link };
});
const seconds = ({ seconds: { online, offline } }: Savings): number => online + offline;
const bytes = ({ bytes: { online, offline } }: Savings): number => online + offline;

test(`docs/savings.md shows the table of ${cheap.title}`, () => {
  const begin = `<!-- npm run savings: ${cheap.title} -->\n`;
  const text = readFileSync(page, "utf8");
  const [before, rest] = text.split(begin) as [string, string];
  const shown = rest.slice(0, rest.indexOf(end));
  const table = `${savingsTable(savings)}\n`;
  // BLESS=1 writes this table anew, and no other: npm run savings -- --write has them all.
  if (process.env.BLESS) writeFileSync(page, before + begin + table + rest.slice(shown.length));
  else expect(shown, "BLESS=1 npx vitest run test/docs/savings writes it anew").toBe(table);
});

test.each(workloads)("docs/savings.md has a row of $title for everything", ({ title }) => {
  const text = readFileSync(page, "utf8");
  const [, rest] = text.split(`<!-- npm run savings: ${title} -->\n`) as [string, string];
  const rows = rest.slice(0, rest.indexOf(end)).split("\n");
  for (const { system, link, technique } of savings) {
    expect(rows.some((row) => row.startsWith(`| ${system}, ${link} | ${technique} |`))).toBe(true);
  }
});

test.each(ofEach)("$system, $link: a frozen half halves what the layers cost", (where) => {
  const { rounds, online, offline, setup } = find("every layer private", where).traffic;
  const half = find("LF 0.5", where).traffic;
  const sum = (all: object): number => Object.values(all).reduce((a: number, b: number) => a + b, 0);
  // What stands before and behind the layers is there once in both.
  expect(rounds / half.rounds).toBeGreaterThan(1.95);
  expect(rounds / half.rounds).toBeLessThan(2);
  for (const [whole, part] of [
    [online, half.online],
    [offline, half.offline],
    [setup, half.setup],
  ] as const) {
    expect(sum(whole) / sum(part)).toBeGreaterThan(1.9);
    expect(sum(whole) / sum(part)).toBeLessThan(2);
  }
});

test.each(
  ofEach,
)("$system, $link: adapters are a small part of the weights, and of what the dealer multiplies", (where) => {
  for (const [whole, adapted] of [
    ["every layer private", "LoRA"],
    ["LF 0.5", "LF 0.5 + LoRA"],
  ] as const) {
    const [from, to] = [find(whole, where), find(adapted, where)];
    expect(from.bytes.setup / to.bytes.setup).toBeGreaterThan(20);
    expect(from.traffic.multiplyAdds.dealer / to.traffic.multiplyAdds.dealer).toBeGreaterThan(15);
    // CrypTen opens every private weight for every query; ours sends activations alone, and more of them with adapters.
    if (where.system === "crypten") expect(bytes(from) / bytes(to)).toBeGreaterThan(10);
    else expect(bytes(to) / bytes(from)).toBeLessThan(1.35);
  }
});

test.each(ofEach)("$system, $link: merged heads are never slower, and a public A never dearer", (where) => {
  const inOrder = ["LF 0.5 + merging 4", "LF 0.5 + merging 2", "LF 0.5"].map((name) => seconds(find(name, where)));
  expect(inOrder).toEqual([...inOrder].sort((a, b) => a - b));
  const [open, hidden] = ["all, A public", "all: LF 0.5 + LoRA + merging 4"].map((name) => find(name, where));
  expect(bytes(open!)).toBeLessThanOrEqual(bytes(hidden!));
  expect(seconds(open!)).toBeLessThanOrEqual(seconds(hidden!));
});

test("ours sends less than CrypTen in fewer rounds, whatever was done to the model", () => {
  for (const row of savings.filter(({ system }) => system === "ours")) {
    const other = find(row.technique, { system: "crypten", link: row.link });
    expect(row.bytes.online).toBeLessThan(other.bytes.online);
    expect(row.traffic.rounds).toBeLessThan(other.traffic.rounds);
    expect(seconds(row)).toBeLessThan(seconds(other));
  }
});

test("ratios are against every layer private of the same protocols and link", () => {
  for (const row of savings.filter(({ technique }) => technique === "every layer private")) {
    expect(Object.values(savingsRatios(row, savings))).toEqual([1, 1, 1, 1, 1]);
  }
});
