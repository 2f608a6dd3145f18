// How folders of sources import each other: npm run rooms [-- <checkout>] [--layer compiler] [--summary]
// Prints a Markdown row per folder that holds sources, in the order in which it imports the others: files, lines, and
// the folders that it imports. Works on any checkout, so that two versions can be compared. Without a checkout: this one.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readRooms, roomsTable, summaryLine } from "./tables/rooms.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { layer: { type: "string", multiple: true }, summary: { type: "boolean", default: false } },
});
const root = positionals[0] ?? fileURLToPath(new URL("../..", import.meta.url));
for (const layer of options.layer ?? ["runtime", "ir", "passes", "targets", "compiler"]) {
  const rooms = readRooms(root, layer);
  console.log(`${summaryLine(layer, rooms)}\n`);
  if (!options.summary) console.log(`${roomsTable(rooms)}\n`);
}
