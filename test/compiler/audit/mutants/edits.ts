import type { BuildFiles } from "../../../../compiler/audit/party-files.ts";
import { edited, modulePaths, programPaths, resealed } from "../builds.ts";

/**
 * Changes to the golden build, by a faulty compiler or an attacker. `codes`: codes that the checker must report at
 * least. Edits of program.mir have matching digests, so that the flow itself is what is found.
 */
export interface Mutant {
  readonly what: string;
  readonly codes: readonly string[];
  readonly of: (build: BuildFiles) => BuildFiles;
}

export const only = (path: string) => (edit: (text: string) => string) => (files: BuildFiles) =>
  edited(files, [path], edit);
export const inAll = (edit: (text: string) => string) => (files: BuildFiles) => edited(files, programPaths, edit);
export const inModule =
  (edit: (text: string) => string) =>
  (files: BuildFiles): BuildFiles =>
    resealed(edited(files, modulePaths, edit));
export const both =
  (...edits: readonly ((files: BuildFiles) => BuildFiles)[]) =>
  (files: BuildFiles): BuildFiles =>
    edits.reduce((changed, edit) => edit(changed), files);
export const swap = (from: string, to: string) => (text: string) => text.replace(from, () => to);
export const swapAll = (from: string, to: string) => (text: string) => text.replaceAll(from, () => to);
export const renamed =
  (...moves: readonly (readonly [string, string])[]) =>
  (files: BuildFiles): BuildFiles =>
    new Map([...files, ...moves.map(([from, to]): [string, Uint8Array] => [to, files.get(from)!])]);

/** One more call before the return, with its spec and type. */
export const oneMore = (call: string, spec: string, type: string) => (text: string) =>
  [
    swap(
      "} satisfies Record<string, Fixed>;\n\nconst specs",
      `  ${type},\n} satisfies Record<string, Fixed>;\n\nconst specs`,
    ),
    swap("} satisfies Record<string, Spec>;", `  ${spec},\n} satisfies Record<string, Spec>;`),
    swap("};\nconst specs", `    ${type},\n};\nconst specs`),
    swap("};\nconst inputTypes", `    ${spec},\n};\nconst inputTypes`),
    swap("return { logits", `${call};\nreturn { logits`),
  ].reduce((changed, edit) => edit(changed), text);

export const client = only("client/program.ts");

const weightsTable = "const weightTypes = ";
/** An edit after the beginning of the table of weights. */
export const ofWeights = (edit: (text: string) => string) => (text: string) => {
  const at = text.indexOf(weightsTable);
  return text.slice(0, at) + edit(text.slice(at));
};
/** Where a private weight is declared. */
export const bias = '"k.bias": { form: "server"';
