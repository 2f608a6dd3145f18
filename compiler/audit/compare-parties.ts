import type { Finding } from "./finding.ts";
import type { ParsedProgramText } from "./parse-program.ts";

type ProgramSection = keyof Pick<
  ParsedProgramText,
  | "name"
  | "hash"
  | "setting"
  | "inputs"
  | "weights"
  | "outputs"
  | "cached"
  | "types"
  | "specs"
  | "protocols"
  | "calls"
  | "returns"
>;
const programSections: readonly ProgramSection[] = [
  "name",
  "hash",
  "setting",
  "inputs",
  "weights",
  "outputs",
  "cached",
  "types",
  "specs",
  "protocols",
  "calls",
  "returns",
];

const sectionEntries = (part: ParsedProgramText[ProgramSection]): readonly string[] => {
  if (typeof part === "string") return [JSON.stringify(part)];
  return ("size" in part ? [...part] : part).map((item) => JSON.stringify(item, exactValue));
};
/** JSON has no infinities and no −0: words tell them apart. */
const exactValue = (_key: string, value: unknown): unknown =>
  typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)) ? `${1 / value} ${value}` : value;

/**
 * Checks that the parties describe one computation: the same declarations and the same calls in the same order, grouped
 * in the same rounds. A step of one party alone is not a protocol.
 */
export function compareParties(
  programs: readonly { readonly program: ParsedProgramText; readonly file: string }[],
): readonly Finding[] {
  const [first, ...others] = programs.map(({ program, file }) => ({
    file,
    said: programSections.map((part) => ({ part, items: sectionEntries(program[part]) })),
  }));
  return others.flatMap(({ file, said }) =>
    said.flatMap(({ part, items: theirs }, index) => {
      const mine = first!.said[index]!.items;
      const different = mine.findIndex((item, k) => item !== theirs[k]);
      if (different < 0 && mine.length === theirs.length) return [];
      const where = different < 0 ? mine.length : different;
      const [expected, found] = [mine, theirs].map((list) => (list[where] ?? "nothing").slice(0, 160));
      const message = `${part} differ from those of ${first!.file}: expected ${expected}, found ${found}`;
      return [{ code: "MRL0902", message, at: file }];
    }),
  );
}
