import { presetOf } from "./check-rounding.ts";
import type { Finding, Role } from "./finding.ts";
import { type GuardedValue, guardedValues } from "./guard-bounds.ts";
import type { ParsedModule } from "./parse-mir.ts";
import type { ParsedProgramText } from "./parse-program.ts";
import type { ParsedManifest, PublishedIntegers } from "./read-manifest.ts";
import type { KeptValue, OpenedValue, ValueFlow } from "./track-values.ts";
import { createNameReader, sourceTensor } from "./weight-names.ts";

/** Who learns what, according to the programs of a build. */
export interface FlowReport {
  readonly name: string;
  readonly setting: string;
  readonly security: string;
  /** The parties whose folders were checked. */
  readonly parties: readonly Role[];
  /** Values that the client shares. */
  readonly shared: readonly { readonly value: string; readonly tensor: string; readonly shape: readonly number[] }[];
  /** Values that the server shares, of its own inputs. */
  readonly sharedByServer: FlowReport["shared"];
  /** Inputs of which client and server each supply a residue. */
  readonly taken: FlowReport["shared"];
  /** Outputs of which each keeps its residue, and that nobody reads; whose secrets they depend on. */
  readonly kept: readonly (Omit<KeptValue, "type"> & { readonly tensor: string })[];
  /** Every opened value, its reader, and whose secrets it depends on. */
  readonly opened: readonly (OpenedValue & { readonly tensor: string })[];
  /** What private weights made public before any query, as the manifest says: exponents of bounds. */
  readonly published?: PublishedIntegers;
  /** Outputs that the client computes from values opened to it, or alone. */
  readonly outputs: readonly string[];
  /** The published system whose numerics the build has; absent: marillc's own. */
  readonly preset?: string;
  /** What the bit of a guard tells: whether any of these values leaves these bounds. */
  readonly guarded?: readonly GuardedValue[];
  /**
   * Weights of the program, by who knows them. `unlisted`: public ones that the manifest does not list as weights, under
   * their names or as products of such; that they come from no private weight is the builder's word.
   */
  readonly weights: Readonly<Record<"public" | "server" | "unlisted", readonly string[]>>;
  /** Private weights of the manifest's list that no program uses. */
  readonly notUsed: readonly string[];
  /** Constants of the client's graphs, which are public by the builder's word, and how many numbers each has. */
  readonly constants: readonly { readonly name: string; readonly numbers: number }[];
  /** What the manifest says to readers in words, which nothing checks. */
  readonly claims: readonly string[];
  /** How often each protocol is called, by all programs together: the verdict relies on these. */
  readonly protocols: Readonly<Record<string, number>>;
  readonly calls: number;
  /** Programs of the build: of the window, of one position, of shorter windows. */
  readonly programs: number;
  /** What no rule reads, by file: it can hold what its author put there. */
  readonly unread: readonly string[];
  readonly findings: readonly Finding[];
}

/** The report of one program, without what was found. */
export function summarize(
  manifest: ParsedManifest | undefined,
  program: ParsedProgramText | undefined,
  flow: ValueFlow | undefined,
  module: ParsedModule | undefined,
): Omit<FlowReport, "parties" | "notUsed" | "constants" | "unread" | "findings"> {
  const named = [...(manifest?.reveals ?? []), ...(manifest?.sharedOutputs ?? [])];
  const tensor = (value: string): string => named.find((each) => each.value === value)?.tensor ?? value;
  const protocols: Record<string, number> = {};
  for (const { kind, callee } of program?.calls ?? []) {
    if (kind === "protocol") protocols[callee] = (protocols[callee] ?? 0) + 1;
  }
  const weightsIn = createNameReader(manifest?.weights.map(({ name }) => name) ?? []);
  const weights = (open: boolean): readonly string[] => {
    const taken = [...(program?.weights.values() ?? [])].filter(
      ({ form }) => (form === "public" || form === "disclosed") === open,
    );
    return [...new Set(taken.map((each) => sourceTensor(each.tensor)))];
  };
  const preset = manifest && presetOf(manifest);
  const guarded = module && manifest?.guard && guardedValues(module, manifest);
  return {
    ...(preset !== undefined && { preset }),
    ...(guarded && { guarded }),
    name: manifest?.name ?? program?.name ?? "",
    setting: manifest?.setting ?? program?.setting ?? "",
    security: manifest?.security ?? "",
    shared: manifest?.cuts ?? [],
    sharedByServer: manifest?.serverCuts ?? [],
    taken: (manifest?.sharedInputs ?? []).map(({ value, tensor: name, shape }) => ({ value, tensor: name, shape })),
    kept: (flow?.kept ?? []).map(({ type: _, ...each }) => ({ ...each, tensor: tensor(each.value) })),
    opened: (flow?.opened ?? []).map((each) => ({ ...each, tensor: tensor(each.value) })),
    ...(manifest?.calibration?.published && { published: manifest.calibration.published }),
    outputs: [...(manifest?.tails.map(({ output }) => output) ?? []), ...(manifest?.clientOutputs ?? [])],
    weights: {
      public: weights(true),
      server: weights(false),
      unlisted: weights(true).filter((name) => {
        const { names, hasConstants } = weightsIn(name);
        return names.length === 0 || hasConstants;
      }),
    },
    claims: [
      ...(manifest?.caveats ?? []),
      ...Object.entries(manifest?.roles ?? {}).map(([role, does]) => `the ${role} ${does}`),
    ],
    protocols,
    calls: program?.calls.length ?? 0,
    programs: 1,
  };
}

type Counts = Pick<FlowReport, "calls" | "programs" | "protocols">;

/** The counts of several programs together. */
export function countTogether(reports: readonly Counts[]): Counts {
  const protocols: Record<string, number> = {};
  for (const each of reports)
    for (const [name, n] of Object.entries(each.protocols)) protocols[name] = (protocols[name] ?? 0) + n;
  return { calls: reports.reduce((sum, { calls }) => sum + calls, 0), programs: reports.length, protocols };
}
