import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** A folder that holds sources, and what its files import from other folders of the same layer. */
export interface Room {
  readonly name: string;
  readonly files: number;
  readonly lines: number;
  readonly imports: ReadonlySet<string>;
}

const importPattern = /\bfrom\s+"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"\s*\)/g;

/** Every folder of a layer of a checkout with its imports, dependencies first. */
export function readRooms(root: string, layer: string): readonly Room[] {
  const top = join(root, layer);
  const rooms = new Map<string, { files: number; lines: number; imports: Set<string> }>();
  for (const name of readdirSync(top, { recursive: true, encoding: "utf8" }).sort()) {
    if (!name.endsWith(".ts") || name.endsWith(".generated.ts")) continue;
    const file = join(top, name);
    const folder = relative(root, dirname(file));
    const room = rooms.get(folder) ?? { files: 0, lines: 0, imports: new Set<string>() };
    rooms.set(folder, room);
    const text = readFileSync(file, "utf8");
    room.files++;
    room.lines += text.split("\n").length - 1;
    for (const [, fromPath, dynamicPath] of text.matchAll(importPattern)) {
      const target = relative(root, dirname(resolve(dirname(file), (fromPath ?? dynamicPath)!)));
      if (target !== folder && (target === layer || target.startsWith(`${layer}/`))) room.imports.add(target);
    }
  }
  return dependenciesFirst([...rooms].map(([name, room]) => ({ name, ...room })));
}

/** Depth first; within a cycle the alphabet decides. */
function dependenciesFirst(rooms: readonly Room[]): readonly Room[] {
  const byName = new Map(rooms.map((room) => [room.name, room]));
  const ordered = new Set<Room>();
  const entered = new Set<Room>();
  const visit = (room: Room): void => {
    if (entered.has(room)) return;
    entered.add(room);
    for (const name of [...room.imports].sort()) {
      const next = byName.get(name);
      if (next) visit(next);
    }
    ordered.add(room);
  };
  for (const room of rooms) visit(room);
  return [...ordered];
}

/** Pairs of folders of which each reaches the other: what keeps one from being read before the other. */
export function mutualPairs(rooms: readonly Room[]): number {
  const byName = new Map(rooms.map((room) => [room.name, room]));
  const reach = (from: Room): ReadonlySet<string> => {
    const seen = new Set<string>();
    const open = [...from.imports];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      open.push(...(byName.get(name)?.imports ?? []));
    }
    return seen;
  };
  const reached = new Map(rooms.map((room) => [room.name, reach(room)]));
  const pairs = rooms.flatMap((a, at) =>
    rooms.slice(at + 1).filter((b) => reached.get(a.name)!.has(b.name) && reached.get(b.name)!.has(a.name)),
  );
  return pairs.length;
}

export function summaryLine(layer: string, rooms: readonly Room[]): string {
  const loose = rooms.find(({ name }) => name === layer);
  const sum = (of: (room: Room) => number): number => rooms.reduce((all, room) => all + of(room), 0);
  const largest = rooms.reduce((most, { files }) => Math.max(most, files), 0);
  return [
    `${layer}: ${rooms.length} folders, ${sum(({ files }) => files)} files, ${sum(({ lines }) => lines)} lines`,
    `${loose?.files ?? 0} files at the root, at most ${largest} in one folder`,
    `${mutualPairs(rooms)} pairs of folders that reach each other`,
  ].join("; ");
}

export function roomsTable(rooms: readonly Room[]): string {
  const layer = rooms[0]!.name.split("/")[0]!;
  const short = (name: string): string => (name === layer ? "." : name.slice(layer.length + 1));
  const rows = rooms.map(({ name, files, lines, imports }) => {
    return `| ${short(name)} | ${files} | ${lines} | ${[...imports].sort().map(short).join(", ")} |`;
  });
  return ["| folder | files | lines | imports |", "| --- | ---: | ---: | --- |", ...rows].join("\n");
}
