import Table from "cli-table3";
import { cellText } from "../../../ir/printable.ts";

/** Borders are spaces only: a table can be copied, and parsed by programs. */
const chars = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
} as const;

export interface Column {
  readonly title: string;
  /** Aligns numbers at their last digit. */
  readonly right?: true;
}

/** Formats rows under titles; plain text, which `inspect` puts into comments of a program. */
export function textTable(columns: readonly Column[], rows: readonly (readonly (string | number)[])[]): string {
  const table = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ right }) => (right ? "right" : "left")),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    chars,
  });
  table.push(...rows.map((row) => row.map((cell) => (typeof cell === "string" ? cellText(cell) : cell))));
  const lines = table.toString().split("\n");
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}
