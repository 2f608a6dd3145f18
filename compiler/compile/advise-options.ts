import { type Diagnostic, DiagnosticError } from "../../ir/diagnostic.ts";
import type { Precision } from "../../ir/ops/define.ts";
import {
  precisionsOf,
  precisionsWith,
  qualities,
  tooCoarseCode,
  tooWideCode,
  weightBits,
} from "../../passes/4-quantize/index.ts";
import { type ResolvedOptions, withPublication } from "../load/index.ts";

/** Options that may make a refused model compile. */
interface Route {
  readonly option: string;
  /** The option undoes what the user gave: no other advice stands beside it. */
  readonly undoes?: true;
  readonly options: ResolvedOptions;
}

type Routes = (
  diagnostics: readonly Diagnostic[],
  options: ResolvedOptions,
  scalers: Tries["scalers"],
) => readonly Route[];

/** What other options are tried with. */
export interface Tries {
  readonly options: ResolvedOptions;
  /** Private weights that scale features of the client, by name. */
  readonly scalers: () => readonly string[];
  /** Whether a build with such options compiles, and has answers of use. */
  readonly works: (options: ResolvedOptions) => boolean;
}

/** Fewer fractional bits make answers coarser, and nothing more public. */
function withBits(options: ResolvedOptions, kind: keyof Precision, bits: number): Route {
  const precisions = precisionsWith(options.target.precisions, { [kind]: bits });
  return {
    option: `--precision ${kind}=${bits}`,
    options: { ...options, target: { ...options.target, precisions, precision: precisions[0]! } },
  };
}

/** Bits with which the largest weight fits that a message names. */
const fewerWeightBits: Routes = (diagnostics, options) => {
  const texts = diagnostics.flatMap(({ message, because = [] }) => [message, ...because]);
  const found = texts.map((text) => Number(/expected magnitudes below .*, found (\S+)$/.exec(text)?.[1] ?? 0));
  const bits = weightBits - 1 - Math.ceil(Math.log2(Math.max(1, ...found)));
  return bits < 1 ? [] : [withBits(options, "weight", bits)];
};

const fewerActivationBits: Routes = (_, options) =>
  [12, 10, 8]
    .filter((bits) => bits < options.target.precision.activation)
    .map((bits) => withBits(options, "activation", bits));

/** Bits by hand may be fewer than a protocol needs: those of the quality are tried. */
const moreActivationBits: Routes = (_, options) => {
  const { precision, quality, preset } = options.target;
  const bits = precisionsOf(quality)[0]!.activation;
  return preset !== undefined || precision.activation >= bits
    ? []
    : [{ ...withBits(options, "activation", bits), undoes: true }];
};

/** Qualities with more bits than that of the options. */
const finerQuality: Routes = (_, options) => {
  const { quality, preset } = options.target;
  const names = Object.keys(qualities) as (keyof typeof qualities)[];
  if (preset !== undefined) return [];
  return names.slice(names.indexOf(quality) + 1).map((finer) => {
    const precisions = precisionsOf(finer);
    const target = { ...options.target, quality: finer, precisions, precision: precisions[0]! };
    return { option: `--quality ${finer}`, options: { ...options, target } };
  });
};

const published: Routes = (_, options) =>
  options.calibration.publish === true || options.target.preset !== undefined
    ? []
    : [{ option: "--publish-ranges", options: withPublication(options) }];

/** The same with fewer bits, where values of published ranges are too large for the usual ones. */
const publishedWithRoom: Routes = (diagnostics, options, scalers) => {
  const alone = published(diagnostics, options, scalers);
  const fewer = alone.flatMap((route) =>
    fewerActivationBits(diagnostics, route.options, scalers).map((coarser) => ({
      ...coarser,
      option: `${route.option} ${coarser.option}`,
    })),
  );
  return [...alone, ...fewer];
};

/** A row of the file may be what bounds a weight too tightly. */
const withoutRanges: Routes = (_, options) => {
  const { ranges, ...calibration } = options.calibration;
  return ranges === undefined
    ? []
    : [
        {
          option: `leaving out --ranges, whose rows bound the weights (${ranges})`,
          options: { ...options, calibration },
        },
      ];
};

/** The settings have different protocols. */
const otherSetting: Routes = (_, options) => {
  const setting = options.target.setting === "3pc" ? "2pc-dealer" : "3pc";
  return options.target.preset === undefined
    ? [{ option: `--setting ${setting}`, options: { ...options, target: { ...options.target, setting } } }]
    : [];
};

/**
 * A scaler's numbers are statistics of features: with them the client scales its own, in the clear. What follows it may
 * still need bounds of its own.
 */
const publicScalers: Routes = (_, options, scalers) => {
  const names = scalers();
  const { weights } = options;
  if (names.length === 0) return [];
  const scaled = { ...options, weights: { ...weights, public: [...(weights.public ?? []), ...names] } };
  const named = names.map((name) => `--public '${name}'`).join(" ");
  const note = "(the numbers of a scaler: they become public, and the client scales its features itself)";
  return [
    { option: `${named} ${note}`, options: scaled },
    ...published([], scaled, () => []).map((route) => ({ ...route, option: `${named} ${route.option} ${note}` })),
  ];
};

/** Columns of very different sizes have no common scale, and neither have the weights that they meet. */
const scaledFeatures: Routes = (_, options) => {
  const { calibration, target } = options;
  if (calibration.scaleFeatures === true || calibration.samples === undefined || target.preset) return [];
  const scaled = { ...options, calibration: { ...calibration, scaleFeatures: true } };
  return [
    { option: "--scale-features", options: scaled },
    ...published([], scaled, () => []).map((route) => ({ ...route, option: `--scale-features ${route.option}` })),
  ];
};

/** Routes by code, in groups: of each group the first that works is told. */
const routes: Readonly<Record<string, readonly Routes[]>> = {
  MRL0504: [publicScalers, scaledFeatures, fewerWeightBits, withoutRanges, publishedWithRoom],
  [tooCoarseCode]: [publicScalers, scaledFeatures, moreActivationBits, finerQuality, published],
  MRL0520: [otherSetting],
  MRL0521: [moreActivationBits, fewerActivationBits, otherSetting, published],
  MRL0522: [fewerActivationBits, published],
  [tooWideCode]: [fewerActivationBits, published],
};

/** Codes whose own advice stands only where no option works. */
const replaced: ReadonlySet<string> = new Set(["MRL0504", tooCoarseCode]);

/** Of each group the first option that works; none that needs another one besides which works alone. */
function working(
  groups: readonly Routes[],
  diagnostics: readonly Diagnostic[],
  { options, scalers, works }: Tries,
): readonly Route[] {
  const found = groups.flatMap((group) => {
    const first = group(diagnostics, options, scalers).find((route) => works(route.options));
    return first ? [first] : [];
  });
  return found.filter(({ option }) => !found.some((other) => option.endsWith(` ${other.option}`)));
}

/** Options with which features of any size compile, or bits by hand are undone, and answers are of use. */
export const optionsThatHelp = (tries: Tries): readonly string[] =>
  working([publicScalers, scaledFeatures, moreActivationBits], [], tries).map(({ option }) => option);

/** Options with which values that left their rings on calibration inputs stay in them, and answers are of use. */
export const optionsThatFit = (tries: Tries): readonly string[] =>
  working([publicScalers, scaledFeatures, fewerActivationBits, published], [], tries).map(({ option }) => option);

/** Runs the work. Where it refuses what other options may allow, those are tried, and the advice names the ones that work. */
export function advisingOptions<T>(tries: Tries, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    const codes = new Set(error.diagnostics.map(({ code }) => code));
    // One that no option helps remains whatever is tried.
    if ([...codes].some((code) => !Object.hasOwn(routes, code))) throw error;
    const groups = new Set([...codes].flatMap((code) => routes[code]!));
    const found = working([...groups], error.diagnostics, tries);
    throw found.length === 0 ? error : new DiagnosticError(error.diagnostics.map((each) => advised(each, found)));
  }
}

function advised({ help, ...diagnostic }: Diagnostic, found: readonly Route[]): Diagnostic {
  const options = found.map(({ option }) => option);
  const tried =
    options.length === 1
      ? `this was tried, and compiles: ${options[0]}`
      : `each of these was tried, and compiles: ${options.join(", or ")}`;
  const standsAlone = help === undefined || replaced.has(diagnostic.code) || found.some(({ undoes }) => undoes);
  return { ...diagnostic, help: standsAlone ? tried : `${help}; ${tried}` };
}
