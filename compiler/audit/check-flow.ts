import { checkChunks } from "./check-chunks.ts";
import { checkComments } from "./check-comments.ts";
import { checkGuard } from "./check-guard.ts";
import { checkRounding } from "./check-rounding.ts";
import { checkClientModels } from "./client-models.ts";
import { compareOwners, comparePublished, compareWithManifest } from "./compare-manifest.ts";
import { compareWithModule } from "./compare-module.ts";
import { compareParties } from "./compare-parties.ts";
import { checkDeclaredRanges } from "./declared-ranges.ts";
import { type Finding, type Role, roles } from "./finding.ts";
import { countTogether, type FlowReport, summarize } from "./flow-report.ts";
import { checkGuardBounds } from "./guard-bounds.ts";
import { checkManifestEntries, checkRings } from "./manifest-entries.ts";
import { type ParsedModule, parseMir } from "./parse-mir.ts";
import { type ParsedProgramText, parseProgram } from "./parse-program.ts";
import { type BuildFiles, checkStrayFiles, checkWeightFile, sha256 } from "./party-files.ts";
import { programViews } from "./program-views.ts";
import { type ParsedManifest, parseManifest } from "./read-manifest.ts";
import { ParseFault } from "./token-reader.ts";
import { checkTokenizerFiles } from "./tokenizer-files.ts";
import { trackValues, type ValueFlow } from "./track-values.ts";
import { constantsOfGraphs, unreadGraphs, unreadParts } from "./unread-parts.ts";
import { checkWeightList, unusedWeights } from "./weight-names.ts";

interface ParsedProgram {
  readonly program: ParsedProgramText;
  readonly file: string;
}

/** What was parsed, and what was found wrong on the way. */
interface Checked<T> {
  readonly value: T | undefined;
  readonly findings: readonly Finding[];
}

/** Checks a build, or the folder of one party under its name (`client/…`). Runs nothing in it. */
export function checkFlow(files: BuildFiles): FlowReport {
  const { prefill, further } = programViews(files);
  const first = checkProgram(prefill);
  const { report, program, module, manifest } = first;
  const others = further.map((view) => ({ ...view, checked: checkProgram(view.files) }));
  const findings = [...report.findings];
  // Reports a finding in a file that several views share once.
  const said = new Set(findings.map((finding) => JSON.stringify(finding)));
  for (const { fileOf, checked } of others) {
    for (const finding of [...checked.report.findings, ...cacheMismatch(checked.program, program)]) {
      const found = { ...finding, at: fileOf(finding.at) };
      if (!said.has(JSON.stringify(found))) findings.push(found);
      said.add(JSON.stringify(found));
    }
  }
  const named = others.flatMap(({ name, checked }) => (checked.program ? [[name, checked.program] as const] : []));
  const programs = [...(program ? [program] : []), ...named.map(([, each]) => each)];
  findings.push(...checkChunks(new Map(named), manifest));
  if (manifest && programs.length > 0) {
    findings.push(...checkWeightList(programs, manifest), ...checkManifestEntries(programs, manifest));
    if (module) findings.push(...checkRings(module, manifest));
  }
  return {
    ...report,
    ...countTogether([report, ...others.map(({ checked }) => checked.report)]),
    opened: [...report.opened, ...others.flatMap(({ checked }) => checked.report.opened)],
    notUsed: manifest ? unusedWeights(programs, manifest) : [],
    constants: [
      ...new Map(
        [first, ...others.map(({ checked }) => checked)].flatMap(({ constants }) =>
          constants.map((each) => [each.name, each] as const),
        ),
      ).values(),
    ],
    unread: [
      ...(manifest ? unreadParts(files, manifest) : []),
      ...first.graphs.map(([path, what]) => `${path}: ${what}`),
      ...others.flatMap(({ fileOf, checked }) => checked.graphs.map(([path, what]) => `${fileOf(path)}: ${what}`)),
    ],
    findings,
  };
}

/** Masked values that further programs keep or read, and the window's program does not keep in the same ring. */
function cacheMismatch(
  decode: ParsedProgramText | undefined,
  prefill: ParsedProgramText | undefined,
): readonly Finding[] {
  const ring = (of: ParsedProgramText | undefined, name: string): string | undefined => {
    const decl = of?.cached.get(name);
    return decl && `${decl.width}.${decl.scale}`;
  };
  return [...(decode?.cached.keys() ?? [])]
    .filter((name) => ring(decode, name) !== ring(prefill, name))
    .map((name) => ({
      code: "MRL0915",
      message: `${name} is read from earlier queries, but the program of the window does not keep such a masked value`,
      at: "program.ts",
    }));
}

interface CheckedProgram {
  readonly report: Omit<FlowReport, "notUsed" | "constants" | "unread">;
  readonly program: ParsedProgramText | undefined;
  readonly module: ParsedModule | undefined;
  readonly manifest: ParsedManifest | undefined;
  /** What nothing reads in the client's graphs, and their constants. */
  readonly graphs: ReturnType<typeof unreadGraphs>;
  readonly constants: FlowReport["constants"];
}

/** Checks one program of all parties. */
function checkProgram(files: BuildFiles): CheckedProgram {
  const parties = roles.filter((role) => [...files.keys()].some((path) => path.startsWith(`${role}/`)));
  const parsedManifest = manifestOf(files);
  const manifest = parsedManifest.value;
  const parsed = parties.flatMap((role) => (["ts", "js"] as const).map((language) => programOf(files, role, language)));
  const programs = parsed.flatMap(({ value }) => (value ? [value] : []));
  const [first] = programs;
  const findings: Finding[] = [
    ...checkMissingFiles(files, parties),
    ...checkStrayFiles(files),
    ...checkTokenizerFiles(files),
    ...checkCopies(files),
    ...parsedManifest.findings,
    ...parsed.flatMap((each) => each.findings),
    ...compareParties(programs),
  ];
  const module = moduleOf(files);
  const flow = first ? trackValues(first.program, first.file) : undefined;
  if (first && flow) {
    findings.push(...flow.findings);
    if (manifest) findings.push(...compareWithManifest(first.program, flow, manifest, first.file));
    if (manifest) findings.push(...checkGuard(first.program, flow, manifest, first.file));
    if (manifest) findings.push(...checkRounding(flow, manifest, first.file));
    findings.push(...module.findings);
    if (module.value) findings.push(...checkModule(module.value, programs, flow, manifest));
    for (const role of ["client", "server"] as const)
      findings.push(...checkWeightFile(files, role, first.program, manifest?.integers));
  }
  if (manifest) findings.push(...checkHashes(files, manifest));
  if (manifest && parties.includes("client")) findings.push(...checkClientModels(files, manifest));
  return {
    report: { ...summarize(manifest, first?.program, flow, module.value?.module), parties, findings },
    program: first?.program,
    module: module.value?.module,
    manifest,
    graphs: manifest ? unreadGraphs(files, manifest) : [],
    constants: manifest ? constantsOfGraphs(files, manifest) : [],
  };
}

const text = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

const hasAll = (parties: readonly Role[]): boolean => parties.length === roles.length;

function checkMissingFiles(files: BuildFiles, parties: readonly Role[]): readonly Finding[] {
  const wanted = parties.flatMap((role) => [
    ...["program.ts", "program.js", "program.mir", "manifest.json"].map((name) => `${role}/${name}`),
    ...(role === "dealer" ? [] : [`${role}/weights.safetensors`]),
  ]);
  const sharedFiles = hasAll(parties) ? ["manifest.json", "program.mir"] : [];
  const missing = [...sharedFiles, ...wanted].filter((path) => !files.has(path));
  const none =
    parties.length === 0
      ? [{ code: "MRL0913", message: "expected the program of at least one party, found none", at: "the folder" }]
      : [];
  return [...none, ...missing.map((at) => ({ code: "MRL0913", message: "the file is missing", at }))];
}

/** Every party has the same manifest and the same module. */
function checkCopies(files: BuildFiles): readonly Finding[] {
  return ["manifest.json", "program.mir"].flatMap((name) => {
    const [first, ...others] = [...files].filter(([path]) => path === name || path.endsWith(`/${name}`));
    return others
      .filter(([, bytes]) => Buffer.compare(bytes, first![1]) !== 0)
      .map(([at]) => ({ code: "MRL0914", message: `the file differs from ${first![0]}`, at }));
  });
}

function manifestOf(files: BuildFiles): Checked<ParsedManifest> {
  const found = [...files].find(([path]) => path.endsWith("manifest.json"));
  if (!found) return { value: undefined, findings: [] };
  const value = parseManifest(found[1]);
  const findings = value
    ? []
    : [{ code: "MRL0901", message: "expected a manifest of marillc, with its fields alone", at: found[0] }];
  return { value, findings };
}

function programOf(files: BuildFiles, role: Role, language: "ts" | "js"): Checked<ParsedProgram> {
  const file = `${role}/program.${language}`;
  const bytes = files.get(file);
  if (!bytes) return { value: undefined, findings: [] };
  const { value: program, findings } = parseWith(() => parseProgram(text(bytes), language), file);
  if (!program) return { value: undefined, findings };
  const message = `expected the program of the ${role}, found the ${program.role}'s`;
  return {
    value: { program, file },
    findings: program.role === role ? [] : [{ code: "MRL0911", message, at: file }],
  };
}

function parseWith<T>(parse: () => T, file: string): Checked<T> {
  try {
    return { value: parse(), findings: [] };
  } catch (error) {
    const at = error instanceof ParseFault ? `${file}, line ${error.line}` : file;
    const message = `marillc does not write this: ${(error as Error).message}`;
    return { value: undefined, findings: [{ code: "MRL0901", message, at }] };
  }
}

interface FoundModule {
  readonly module: ParsedModule;
  readonly at: string;
}

function moduleOf(files: BuildFiles): Checked<FoundModule> {
  const found = [...files].find(([path]) => path.endsWith("program.mir"));
  if (!found) return { value: undefined, findings: [] };
  const [at, bytes] = found;
  const { value: module, findings } = parseWith(() => parseMir(text(bytes)), at);
  return { value: module && { module, at }, findings };
}

function checkModule(
  { module, at }: FoundModule,
  programs: readonly ParsedProgram[],
  flow: ValueFlow,
  manifest: ParsedManifest | undefined,
): readonly Finding[] {
  const { program, file } = programs[0]!;
  return [
    ...compareWithModule(program, flow, module, file),
    ...checkDeclaredRanges(module, at),
    ...programs.flatMap((each) => checkComments(each.program, module, manifest ?? {}, each.file)),
    ...(manifest
      ? [
          ...compareOwners(module, manifest, at),
          ...comparePublished(module, manifest, at),
          ...checkGuardBounds(module, manifest, at),
        ]
      : []),
  ];
}

/**
 * Checks the digests that the parties compare before a session: of the module, and of the public files of the client.
 */
function checkHashes(files: BuildFiles, manifest: ParsedManifest): readonly Finding[] {
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
