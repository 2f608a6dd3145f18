import Table from "cli-table3";
import color from "picocolors";

/** Borders of spaces only: a table can be copied, and read by programs. */
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
  /** Numbers line up at their ends. */
  readonly right?: true;
}

export function textTable(columns: readonly Column[], rows: readonly (readonly (string | number)[])[]): string {
  const made = new Table({
    head: columns.map(({ title }) => color.bold(title)),
    colAligns: columns.map(({ right }) => (right ? "right" : "left")),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    chars,
  });
  made.push(...rows.map((row) => [...row]));
  const lines = made.toString().split("\n");
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}
