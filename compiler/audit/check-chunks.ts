import type { Finding } from "./finding.ts";
import type { ParsedProgramText } from "./parse-program.ts";
import type { ParsedChunk, ParsedManifest } from "./read-manifest.ts";

/**
 * Checks what the manifest says of the programs for a part of the window: for how many positions each is, what it keeps,
 * and that no two are for as many.
 */
export function checkChunks(
  programs: ReadonlyMap<string, ParsedProgramText>,
  manifest: ParsedManifest | undefined,
): readonly Finding[] {
  if (!manifest?.decode) return [];
  const { windows = [], ...decode } = manifest.decode;
  const chunks: readonly (readonly [name: string, ParsedChunk])[] = [
    ["decode", decode],
    ...windows.map((each) => [`window-${each.places}`, each] as const),
  ];
  const names = chunks.map(([name]) => name);
  const messages = names
    .filter((name, k) => names.indexOf(name) !== k)
    .map((name) => `the manifest describes ${name} twice`);
  for (const [name, chunk] of chunks) {
    const program = programs.get(name);
    if (program) messages.push(...chunkMismatches(program, chunk, name === "decode").map((what) => `${name} ${what}`));
  }
  return messages.map((message) => ({ code: "MRL0910", message, at: "manifest.json" }));
}

const keptText = ({ shape, width }: { readonly shape: readonly number[]; readonly width: number }, name: string) =>
  `${name} [${shape.join(", ")}] of ${width} bits`;

function chunkMismatches(
  { inputs, cached }: ParsedProgramText,
  { places, kept = [], cuts }: ParsedChunk,
  continues: boolean,
): readonly string[] {
  const mine = [...cached].map(([name, decl]) => keptText(decl, name));
  const said = kept.map((each) => keptText(each, each.name));
  const past = new Set([...cached.values()].map((decl) => decl.past));
  const rows = cuts.flatMap(({ value, axis }) =>
    axis === undefined ? [] : (inputs.get(value)?.shape[axis] ?? Number.NaN),
  );
  // Decoding reads rows of earlier queries beside its own; a shorter window has its own alone.
  const positions = new Set(continues ? rows.flatMap((own) => [...past].map((earlier) => earlier + own)) : rows);
  const isFor = positions.size === 1 && positions.has(places ?? Number.NaN);
  return [
    ...mine.filter((each) => !said.includes(each)).map((each) => `keeps ${each}; the manifest does not say so`),
    ...said.filter((each) => !mine.includes(each)).map((each) => `does not keep ${each}; the manifest says so`),
    ...(mine.length === said.length ? [] : [`keeps ${mine.length} masked values, not ${said.length}`]),
    ...(cached.size === 0 || isFor
      ? []
      : [`is for ${[...positions].join(" or ")} positions; the manifest says ${places}`]),
  ];
}
