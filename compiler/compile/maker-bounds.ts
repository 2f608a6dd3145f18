import { type Diagnostic, fail, throwIfAny } from "../../ir/diagnostic.ts";
import { type Module, opsOf, type ValueId } from "../../ir/module.ts";
import { sameShape } from "../../ir/type.ts";
import type { SplitState } from "../../passes/pass.ts";
import { loadManifest, type SharedValueManifest } from "../build/index.ts";
import type { GivenBounds } from "./ranges-file.ts";

type Interval = { readonly lo: number; readonly hi: number };

/**
 * Bounds of inputs that arrive as shares, as the manifests of the builds that make them declare them: they join the
 * bounds of --ranges, which may be wider and not narrower.
 * @throws DiagnosticError MRL0672 for a build that leaves no such value in shares, MRL0673 for bounds that do not hold it
 */
export function withMakers(
  given: GivenBounds | undefined,
  { module, taken = [] }: Pick<SplitState, "module" | "taken">,
  makers: ReadonlyMap<string, string>,
): GivenBounds | undefined {
  if (makers.size === 0) return given;
  const groups = taken.flatMap(({ value, source }) => {
    const maker = makers.get(source);
    if (maker === undefined) return [];
    const bounds = boundsOfMaker(module, value, source, maker);
    const taken = opsOf(module).filter(({ name, operands }) => name === "take-over" && operands[0] === value);
    return [{ ids: [value, ...taken.map(({ result }) => result)], bounds }];
  });
  // A row of the input holds for what is taken over too: it is told once.
  const problems = groups.flatMap(({ ids, bounds }) =>
    ids.flatMap((id) => tooNarrow(given?.values.get(id), bounds, id)).slice(0, 1),
  );
  throwIfAny(problems);
  const made = groups.flatMap(({ ids, bounds }) => ids.map((id): readonly [ValueId, Interval] => [id, bounds]));
  const { values = new Map(), inner = new Map(), weights = new Map() } = given ?? {};
  return { values: new Map([...values, ...made]), inner, weights };
}

/** `build`, or `build#output`. */
function boundsOfMaker(module: Module, value: ValueId, source: string, maker: string): Interval {
  const [path, output] = /^(.+)#([^#/\\]+)$/.exec(maker)?.slice(1) ?? [maker];
  const { name, sharedOutputs = [] } = loadManifest(path!);
  const found = chooseOutput(sharedOutputs, output ?? source, output !== undefined);
  const refuse = (message: string, help: string): never =>
    fail({ code: "MRL0672", message: `input "${source}": ${message}`, at: path!, help });
  if (!found) {
    const names = sharedOutputs.map(({ tensor }) => tensor);
    return names.length === 0
      ? refuse(
          `expected a build that leaves an output in shares, found none in ${name}`,
          "compile that model with --reveal <output>:shared",
        )
      : refuse(
          `expected the output that ${name} leaves in shares for it, found ${names.join(", ")}`,
          `name one: --input ${source}:shared=${path}#${names[0]}`,
        );
  }
  const { shape } = module.values[value]!.type;
  if (!sameShape(found.shape, shape))
    refuse(
      `expected a value of shape [${shape.join(", ")}], found ${found.tensor} of [${found.shape.join(", ")}]`,
      "compile either model for the shape of the other: --dim",
    );
  const [lo, hi] = found.range;
  return { lo, hi };
}

const chooseOutput = (
  outputs: readonly SharedValueManifest[],
  name: string,
  isNamed: boolean,
): SharedValueManifest | undefined =>
  outputs.find(({ tensor }) => tensor === name) ?? (!isNamed && outputs.length === 1 ? outputs[0] : undefined);

function tooNarrow(given: Interval | undefined, { lo, hi }: Interval, value: ValueId): readonly Diagnostic[] {
  if (!given || (given.lo <= lo && given.hi >= hi)) return [];
  return [
    {
      code: "MRL0673",
      message: `"${value}": expected bounds that hold [${lo}, ${hi}], which the program that makes it declares, found [${given.lo}, ${given.hi}] in the file of ranges`,
      help: "widen the row, or remove it: the manifest of that program gives the bounds",
    },
  ];
}
