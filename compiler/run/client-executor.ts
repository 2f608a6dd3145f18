import type { Program } from "../../runtime/program/index.ts";
import type { IntTensor } from "../../runtime/ring/index.ts";
import { prefillStart, type QueryPosition } from "../../runtime/session/index.ts";
import type { Manifest, PartyBuild } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import {
  type ClientLayers,
  type NamedTensors,
  type PositionAxes,
  type PositionRange,
  slicePositions,
} from "./client-layers.ts";
import { openCachedLayers } from "./client-layers-cached.ts";
import { openFullContextLayers } from "./client-layers-full-context.ts";
import type { Residues } from "./handed-shares.ts";
import { openedTensors } from "./opened-tensors.ts";
import { type ClampedValues, quantizeInputs } from "./quantize-inputs.ts";

/** What the client computes alone, before and after the secure part. */
export interface ClientExecutor {
  /**
   * Runs the client's own layers, and quantizes the cut tensors of the query's positions. `residues`: its halves of
   * inputs that arrive as shares, by input of the program.
   * @throws DiagnosticError for inputs that the graphs or shapes do not accept, or that exceed their public bounds
   */
  readonly prepare: (inputs: NamedTensors, position?: QueryPosition, residues?: Residues) => Promise<PreparedQuery>;
  /** Computes the model's outputs of the query's positions from what was revealed, by name. */
  readonly finish: (prepared: PreparedQuery, revealed: ReadonlyMap<string, IntTensor>) => Promise<NamedTensors>;
  /** Whether the parties found that no guarded value left its range; true for a build without a guard. */
  readonly isTrusted: (revealed: ReadonlyMap<string, IntTensor>) => boolean;
  /** Time that the client's own layers have taken so far. */
  readonly seconds: () => number;
  readonly release: () => Promise<void>;
}

export interface PreparedQuery {
  readonly position: QueryPosition;
  readonly shared: Readonly<Record<string, IntTensor>>;
  /** Outputs that need no secure computation. */
  readonly outputs: NamedTensors;
  readonly clamped: ClampedValues;
}

export interface ClientOptions {
  /** Moves values beyond their public bounds onto them. Default: such values are refused. */
  readonly clamp?: boolean;
}

/** Opens a client's own layers; it reads their graphs when a query first needs them. */
export async function openClientExecutor(
  build: PartyBuild,
  { clamp = false }: ClientOptions = {},
): Promise<ClientExecutor> {
  const { manifest } = build;
  const layers = openLayers(build);
  const stopwatch = createStopwatch();

  async function prepare(
    inputs: NamedTensors,
    position: QueryPosition = prefillStart,
    residues: Residues = new Map(),
  ): Promise<PreparedQuery> {
    const { cuts, program, rows, keep } = programAt(build, position);
    const axes = positionAxes(cuts);
    const own = await layers.at(position);
    const computed = await stopwatch.time(() => own.runBefore(inputs, rows, keep, axes));
    /** A cut may be an input of the model. */
    const given = (name: string): TypedTensor =>
      position.program === 0 ? inputs.get(name)! : slicePositions(inputs.get(name)!, axes.get(name)!, rows);
    const found = new Map(cuts.map(({ tensor }) => [tensor, (computed.get(tensor) ?? given(tensor)).tensor]));
    const outputs = manifest.clientOutputs.map((name): [string, TypedTensor] => [name, computed.get(name)!]);
    const { shared, clamped } = quantizeInputs({ cuts }, program, found, clamp, inputs);
    return { position, shared: { ...shared, ...Object.fromEntries(residues) }, clamped, outputs: new Map(outputs) };
  }

  async function finish(prepared: PreparedQuery, revealed: ReadonlyMap<string, IntTensor>): Promise<NamedTensors> {
    const { reveals, program, rows } = programAt(build, prepared.position);
    const opened = openedTensors("client", reveals, program, revealed);
    const headInputs = new Set(manifest.tails.map(({ from }) => from));
    const direct = opened.filter(([name]) => !headInputs.has(name));
    const forHead = opened.filter(([name]) => headInputs.has(name));
    const own = await layers.at(prepared.position);
    const computed: NamedTensors =
      forHead.length > 0
        ? await stopwatch.time(() => own.runAfter(new Map(forHead), rows, positionAxes(reveals)))
        : new Map();
    return new Map([...direct, ...computed, ...prepared.outputs]);
  }

  const isTrusted = (revealed: ReadonlyMap<string, IntTensor>): boolean =>
    !manifest.guard || revealed.get(manifest.guard.value)!.data!.every((bit) => bit === 0);
  return { prepare, finish, isTrusted, seconds: stopwatch.seconds, release: layers.release };
}

/** What the manifest says of a program, and the positions of a query. */
interface QueryProgram extends Pick<Manifest, "cuts" | "reveals"> {
  readonly program: Program;
  /** Positions that the query computes. */
  readonly rows: PositionRange;
  /** Number of positions whose keys and values stay cached after the query. */
  readonly keep: number;
}

/** Program 0 computes the full context, program 1 decodes one position, and further ones are shorter prefills. */
function programAt({ manifest, program, decode, buckets }: PartyBuild, query: QueryPosition): QueryProgram {
  const { program: index, position } = query;
  const decoding = decode && manifest.decode;
  if (decoding && index === 1) {
    return { ...manifest.decode, program: decode, rows: [position, position + 1], keep: position + 1 };
  }
  if (index > 1) {
    const bucket = manifest.decode!.windows![index - 2]!;
    return { ...bucket, program: buckets[index - 2]!, rows: [0, bucket.places], keep: position };
  }
  return { ...manifest, program, rows: [0, contextLengthOf({ manifest, decode })], keep: position };
}

/** 1 for a build that decodes no text. */
const contextLengthOf = ({
  manifest,
  decode,
}: Pick<PartyBuild, "manifest"> & { readonly decode?: Program | undefined }) =>
  (decode && manifest.decode?.places) ?? 1;

/** The position axis of each tensor; programs of the full context do not state it. */
const positionAxes = (entries: readonly { readonly tensor: string; readonly axis?: number }[]): PositionAxes =>
  new Map(entries.map(({ tensor, axis = 1 }) => [tensor, axis]));

/** A session with a cache runs its layers row by row, any other over the full context; neither reads the other's graphs. */
function openLayers({ dir, manifest, decode }: PartyBuild) {
  const cached = decode && manifest.decode?.clear;
  const fullContext = lazy(() => openFullContextLayers(dir, contextLengthOf({ manifest, decode })));
  const rows = lazy(() => openCachedLayers(dir, cached!));
  return {
    at: ({ program, position }: QueryPosition): Promise<ClientLayers> =>
      cached && (program > 0 || position > 0) ? rows.get() : fullContext.get(),
    release: async (): Promise<void> => {
      await Promise.all([fullContext, rows].map(async ({ made }) => (await made())?.release()));
    },
  };
}

/** Adds up the time of asynchronous work. */
function createStopwatch() {
  let seconds = 0;
  return {
    seconds: (): number => seconds,
    time: async <T>(work: () => Promise<T>): Promise<T> => {
      const started = performance.now();
      const made = await work();
      seconds += (performance.now() - started) / 1000;
      return made;
    },
  };
}

/** Makes a value on its first use. */
function lazy<T>(make: () => Promise<T>) {
  let made: Promise<T> | undefined;
  return {
    get: (): Promise<T> => {
      made ??= make();
      return made;
    },
    made: (): Promise<T> | undefined => made,
  };
}
