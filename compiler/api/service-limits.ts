import { defaultProgramLimits, limitSpecs, type ProgramLimits, type ServiceLimits } from "../services/index.ts";
import { type Fields, integer } from "./fields.ts";
import { given } from "./values.ts";

/** What a dealer accepts of a server's program. */
export interface ProgramBounds {
  /** Refuse programs that need more correlation bytes for one query. Default: 4e9. */
  readonly maxBytes?: number;
  /** Refuse programs of more text, in bytes. Default: 16 MiB. */
  readonly maxProgramBytes?: number;
  /** Refuse programs of more operators. Default: 100000. */
  readonly maxOperators?: number;
  /** Refuse programs of more products and elements for one query. Default: 1e12. */
  readonly maxWork?: number;
  /** Bytes of memory for queries that take long, all together. Default: half of what the process may use. */
  readonly maxMemory?: number;
}

const limitNames = Object.keys(limitSpecs) as (keyof ServiceLimits)[];

export const limitFields = Object.fromEntries(
  limitNames.map((name) => [name, integer(limitSpecs[name].least)]),
) as unknown as Fields<ServiceLimits>;

export const programFields: Fields<ProgramBounds> = {
  maxBytes: integer(1),
  maxProgramBytes: integer(1),
  maxOperators: integer(1),
  maxWork: integer(1),
  maxMemory: integer(1),
};

/** The limits among the options of a service. */
export const limitsIn = (options: Partial<ServiceLimits>): Partial<ServiceLimits> =>
  given(Object.fromEntries(limitNames.map((name) => [name, options[name]])));

/** The bounds of a dealer's options, and the defaults of the others. */
export const programLimitsIn = ({ maxBytes, ...others }: ProgramBounds): ProgramLimits => {
  const { maxProgramBytes, maxOperators, maxWork, maxMemory } = others;
  const bounds = { maxDealtBytes: maxBytes, maxProgramBytes, maxOperators, maxWork, maxMemory };
  return { ...defaultProgramLimits, ...given(bounds) };
};
