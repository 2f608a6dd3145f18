import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Project, ts } from "ts-morph";
import type { Tensor } from "../../ir/tensor.ts";
import { parse } from "../../ir/text/parse.ts";
import type { Role } from "../../runtime/core/steps.ts";
import type { HeldWeight, Program } from "../../runtime/program/program.ts";
import { toolbox } from "../../runtime/program/toolbox.ts";
import { type IntTensor, intTensor } from "../../runtime/ring/tensor.ts";
import { type ProgramPlan, planProgram } from "../../targets/program/plan.ts";
import { fixedOf, weightOf } from "../harness/execute-protocol.ts";
import { runParties } from "../harness/run-parties.ts";
import { integerWeights } from "../harness/run-session.ts";
import { createNoise } from "../passes/models.ts";

export const root = resolve(import.meta.dirname, "../..");
export const golden = join(root, "fixtures/golden");
export const roles: readonly Role[] = ["client", "server", "dealer"];

export const mir = readFileSync(join(golden, "gated.mir"), "utf8");
export const module = parse(mir, { file: "gated.mir" });
export const plan = planProgram(module, "2pc-dealer");
export const facts = { hash: createHash("sha256").update(mir).digest("hex"), compiler: "0.0.0" };

/** What TypeScript makes of a text, JavaScript too: in its own layout, without types. */
export const transpiled = (text: string): string =>
  ts.transpileModule(text, {
    fileName: "program.ts",
    compilerOptions: {
      module: ts.ModuleKind.ES2022,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
      newLine: ts.NewLineKind.LineFeed,
    },
  }).outputText;

/** Weights within the bounds of gated.mir. */
export function weightsOf(seed = 1): ReadonlyMap<string, Tensor> {
  const noise = createNoise(seed);
  return new Map(
    Object.entries(module.params).map(([id, name]) => [name, noise(module.values[id]!.type.shape, 0.35)] as const),
  );
}

export const input = (): IntTensor =>
  intTensor(
    [3, 4],
    createNoise(5)([3, 4]).data.map((x) => Math.round(x * 2 ** 12)),
  );

/** A program from its JavaScript, as a party loads it. */
export async function load(js: string): Promise<Program> {
  const url = `data:text/javascript;base64,${Buffer.from(js).toString("base64")}`;
  return ((await import(/* @vite-ignore */ url)) as { program: Program }).program;
}

/** Each role runs its own program, from fixed seeds: equal programs give equal shares and messages, bit by bit. */
export function runTogether(programs: Readonly<Record<Role, Program>>, weights = weightsOf()) {
  return runParties((party, stage) => {
    const program = programs[party.role];
    const values = integerWeights(program, weights);
    const empty = ({ shape }: { readonly shape: readonly number[] }): IntTensor => intTensor(shape, undefined);
    const handles = Object.entries(program.weights).map(([key, decl]): [string, HeldWeight] => {
      const known = values.get(decl.tensor)!;
      if (decl.form === "known") return [key, weightOf(party, stage, known, decl.width)];
      if (decl.form === "fixed") return [key, fixedOf(party, stage, known, decl.width)];
      const holds =
        stage !== "count" && (party.role === "server" || (party.role === "client" && decl.form === "public"));
      return [key, holds ? known : empty(decl)];
    });
    const inputs = Object.entries(program.inputs).map(([id, decl]): [string, IntTensor] => [
      id,
      stage === "online" && party.role === "client" ? input() : empty(decl),
    ]);
    return program.body(toolbox, party, Object.fromEntries(inputs), Object.fromEntries(handles), {});
  });
}

/** One for all texts: the libraries and the runtime are read once. */
let project: Project | undefined;

/** What the compiler says of a text as part of this project, without what it says of other files. */
export function typeErrors(text: string): readonly string[] {
  project ??= new Project({
    tsConfigFilePath: join(root, "tsconfig.json"),
    skipAddingFilesFromTsConfig: true,
    compilerOptions: { paths: { "marillc/runtime": [join(root, "runtime/index.ts")] } },
  });
  const file = project.createSourceFile(join(golden, "checked.ts"), text, { overwrite: true });
  const program = project.getProgram().compilerObject;
  const source = file.compilerNode as ts.SourceFile;
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
    ({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"),
  );
}

/** The plan with other names of values, weights, nodes and the module. */
export function renamed(original: ProgramPlan, rename: (name: string) => string): ProgramPlan {
  const keys = <T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T>> =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [rename(key), value]));
  return {
    ...original,
    name: rename(original.name),
    inputs: keys(original.inputs),
    outputs: keys(original.outputs),
    weights: keys(original.weights),
    steps: original.steps.map((step) =>
      step.map((call) => ({
        ...call,
        op: {
          ...call.op,
          operands: call.op.operands.map(rename),
          result: rename(call.op.result),
          origin: rename(call.op.origin),
        },
        spec: { ...call.spec, attrs: { ...call.spec.attrs, [rename("note")]: rename("text") } },
        args: call.args.map((arg) =>
          arg.kind === "weight" ? { ...arg, key: rename(arg.key) } : { ...arg, id: rename(arg.id) },
        ),
      })),
    ),
  };
}
