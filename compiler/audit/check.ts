import { againstManifest, ownersAgree, tensorOf } from "./against-manifest.ts";
import { againstModule } from "./against-module.ts";
import { agree } from "./agree.ts";
import { viewsOf } from "./decode-view.ts";
import { type Finding, type Role, roles } from "./finding.ts";
import { type Flow, follow, type Opened } from "./follow.ts";
import { type Files, heldModels, heldWeights, sha256, strayFiles } from "./holdings.ts";
import { type ManifestText, readManifest } from "./read-manifest.ts";
import { readModule } from "./read-module.ts";
import { type ProgramText, readProgram } from "./read-program.ts";
import { ReadError } from "./tokens.ts";

/** Who learns what, as the programs of a build say it. */
export interface FlowReport {
  readonly name: string;
  readonly setting: string;
  readonly security: string;
  /** Whose folders were there to be checked. */
  readonly parties: readonly Role[];
  /** Values that the client shares. */
  readonly shared: readonly { readonly value: string; readonly tensor: string; readonly shape: readonly number[] }[];
  /** Everything that is opened, to whom, and whose secrets it depends on. */
  readonly opened: readonly (Opened & { readonly tensor: string })[];
  /** What the client computes from what is opened to it, or alone. */
  readonly outputs: readonly string[];
  /** Weights as the program takes them, by who knows them. */
  readonly weights: Readonly<Record<"public" | "server", readonly string[]>>;
  /** How often each protocol is called: what the verdict rests on. */
  readonly protocols: Readonly<Record<string, number>>;
  readonly calls: number;
  readonly findings: readonly Finding[];
}

interface Read {
  readonly program: ProgramText;
  readonly file: string;
}

/** Checks a build, or the folder of one party under its name (`client/…`). Nothing in it is run. */
export function checkFlow(files: Files): FlowReport {
  const { window, further } = viewsOf(files);
  const { report, program } = checkProgram(window);
  const findings = [...report.findings];
  const opened = [...report.opened];
  // Files that several views share are found at fault once.
  const said = new Set(findings.map((finding) => JSON.stringify(finding)));
  for (const { files: own, fileOf } of further) {
    const more = checkProgram(own);
    opened.push(...more.report.opened);
    for (const finding of [...more.report.findings, ...keptOtherwise(more.program, program)]) {
      const found = { ...finding, at: fileOf(finding.at) };
      if (!said.has(JSON.stringify(found))) findings.push(found);
      said.add(JSON.stringify(found));
    }
  }
  return { ...report, opened, findings };
}

/** What further programs keep or read of earlier queries, the window's leaves: the same wires, in the same rings. */
function keptOtherwise(next: ProgramText | undefined, window: ProgramText | undefined): readonly Finding[] {
  const ring = (of: ProgramText | undefined, name: string): string | undefined => {
    const decl = of?.kept.get(name);
    return decl && `${decl.width}.${decl.scale}`;
  };
  return [...(next?.kept.keys() ?? [])]
    .filter((name) => ring(next, name) !== ring(window, name))
    .map((name) => ({
      code: "MRL0915",
      message: `${name} is read of earlier queries; the program of the window keeps no such wire`,
      at: "program.ts",
    }));
}

/** Checks one program at every party. */
function checkProgram(files: Files): { readonly report: FlowReport; readonly program: ProgramText | undefined } {
  const parties = roles.filter((role) => [...files.keys()].some((path) => path.startsWith(`${role}/`)));
  const findings: Finding[] = [...missingFiles(files, parties), ...strayFiles(files), ...copies(files)];
  const manifest = manifestOf(files, findings);
  const programs = parties.flatMap((role) =>
    (["ts", "js"] as const).flatMap((language) => programOf(files, role, language, findings)),
  );
  const [first] = programs;
  findings.push(...agree(programs));
  const flow = first ? follow(first.program, first.file) : undefined;
  if (first && flow) {
    findings.push(...flow.findings);
    if (manifest) findings.push(...againstManifest(first.program, flow, manifest, first.file));
    findings.push(...moduleFindings(files, first, flow, manifest));
    for (const role of ["client", "server"] as const) findings.push(...heldWeights(files, role, first.program));
  }
  if (manifest) findings.push(...hashes(files, manifest));
  if (manifest && parties.includes("client")) findings.push(...heldModels(files, manifest));
  return { report: { ...statementOf(manifest, first?.program, flow), parties, findings }, program: first?.program };
}

const text = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

const hasAll = (parties: readonly Role[]): boolean => parties.length === roles.length;

function missingFiles(files: Files, parties: readonly Role[]): readonly Finding[] {
  const wanted = parties.flatMap((role) => [
    ...["program.ts", "program.js", "manifest.json"].map((name) => `${role}/${name}`),
    ...(role === "client" ? [] : [`${role}/program.mir`]),
    ...(role === "dealer" ? [] : [`${role}/weights.safetensors`]),
  ]);
  const whole = hasAll(parties) ? ["manifest.json", "program.mir"] : [];
  const missing = [...whole, ...wanted].filter((path) => !files.has(path));
  const none =
    parties.length === 0 ? [{ code: "MRL0913", message: "there is no program of any party", at: "the folder" }] : [];
  return [...none, ...missing.map((at) => ({ code: "MRL0913", message: "the file is missing", at }))];
}

/** Every party has the same manifest and the same module. */
function copies(files: Files): readonly Finding[] {
  return ["manifest.json", "program.mir"].flatMap((name) => {
    const [first, ...others] = [...files].filter(([path]) => path === name || path.endsWith(`/${name}`));
    return others
      .filter(([, bytes]) => Buffer.compare(bytes, first![1]) !== 0)
      .map(([at]) => ({ code: "MRL0914", message: `the file is not the same as ${first![0]}`, at }));
  });
}

function manifestOf(files: Files, findings: Finding[]): ManifestText | undefined {
  const found = [...files].find(([path]) => path.endsWith("manifest.json"));
  if (!found) return undefined;
  const manifest = readManifest(new TextDecoder().decode(found[1]));
  if (!manifest) findings.push({ code: "MRL0901", message: "the text is no manifest of marillc", at: found[0] });
  return manifest;
}

function programOf(files: Files, role: Role, language: "ts" | "js", findings: Finding[]): readonly Read[] {
  const file = `${role}/program.${language}`;
  const bytes = files.get(file);
  if (!bytes) return [];
  const program = readWith(() => readProgram(text(bytes), language), file, findings);
  if (program && program.role !== role) {
    findings.push({
      code: "MRL0911",
      message: `expected the program of the ${role}, found the ${program.role}'s`,
      at: file,
    });
  }
  return program ? [{ program, file }] : [];
}

function readWith<T>(read: () => T, file: string, findings: Finding[]): T | undefined {
  try {
    return read();
  } catch (error) {
    const at = error instanceof ReadError ? `${file}, line ${error.line}` : file;
    findings.push({ code: "MRL0901", message: `marillc does not write this: ${(error as Error).message}`, at });
    return undefined;
  }
}

function moduleFindings(
  files: Files,
  { program, file }: Read,
  flow: Flow,
  manifest: ManifestText | undefined,
): readonly Finding[] {
  const found = [...files].find(([path]) => path.endsWith("program.mir"));
  if (!found) return [];
  const findings: Finding[] = [];
  const module = readWith(() => readModule(text(found[1])), found[0], findings);
  if (!module) return findings;
  return [...againstModule(program, flow, module, file), ...(manifest ? ownersAgree(module, manifest, found[0]) : [])];
}

/** Digests that the parties compare before a session: of the module, and of what is public of it at the client. */
function hashes(files: Files, manifest: ManifestText): readonly Finding[] {
  const differ = (at: string, found: string, expected: string): readonly Finding[] => {
    const message = `expected the SHA-256 of the manifest, ${expected}, found ${found}`;
    return found === expected ? [] : [{ code: "MRL0914", message, at }];
  };
  const mir = [...files].find(([path]) => path.endsWith("program.mir"));
  const parts = ["weights.safetensors", "public.onnx", "head.onnx"].flatMap(
    (name) => files.get(`client/${name}`) ?? [],
  );
  const artefacts = sha256([manifest.programHash, ...parts.map(sha256)].join("\n"));
  return [
    ...(mir ? differ(mir[0], sha256(mir[1]), manifest.programHash) : []),
    ...(parts.length > 0 ? differ("client/", artefacts, manifest.artefactsHash) : []),
  ];
}

function statementOf(
  manifest: ManifestText | undefined,
  program: ProgramText | undefined,
  flow: Flow | undefined,
): Omit<FlowReport, "parties" | "findings"> {
  const tensor = (value: string): string => manifest?.reveals.find((each) => each.value === value)?.tensor ?? value;
  const protocols: Record<string, number> = {};
  for (const { kind, callee } of program?.calls ?? []) {
    if (kind === "protocol") protocols[callee] = (protocols[callee] ?? 0) + 1;
  }
  const weights = (open: boolean): readonly string[] => {
    const taken = [...(program?.weights.values() ?? [])].filter(
      ({ form }) => (form === "public" || form === "told") === open,
    );
    return [...new Set(taken.map((each) => tensorOf(each.tensor)))];
  };
  return {
    name: manifest?.name ?? program?.name ?? "",
    setting: manifest?.setting ?? program?.setting ?? "",
    security: manifest?.security ?? "",
    shared: manifest?.cuts ?? [],
    opened: (flow?.opened ?? []).map((each) => ({ ...each, tensor: tensor(each.value) })),
    outputs: [...(manifest?.tails.map(({ output }) => output) ?? []), ...(manifest?.clientOutputs ?? [])],
    weights: { public: weights(true), server: weights(false) },
    protocols,
    calls: program?.calls.length ?? 0,
  };
}
