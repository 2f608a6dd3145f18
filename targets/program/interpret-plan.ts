import type { SharedValue, Steps } from "../../runtime/core/index.ts";
import type { Program } from "../../runtime/program/index.ts";
import type { Operand } from "../../runtime/protocols/kit/index.ts";
import type { CallArgument, OpCall, ProgramPlan } from "./plan.ts";

/**
 * A plan as a program, without text: for the cost model, the dealer service (which receives the module and must not run
 * code from the network), and tests. It does what the emitted programs do, call by call.
 */
export function programFromPlan(plan: ProgramPlan, hash: string): Program {
  const cachedValues = Object.entries(plan.cached).map(([name, { value }]) => [name, value] as const);
  return {
    name: plan.name,
    hash,
    setting: plan.setting,
    inputs: plan.inputs,
    outputs: plan.outputs,
    weights: plan.weights,
    ...(cachedValues.length > 0 && { cached: plan.cached }),
    *body(tools, party, inputs, weights, cached) {
      const values = new Map<string, SharedValue>();
      const operand = (argument: CallArgument): Operand => {
        if (argument.kind === "input") return inputs[argument.id]!;
        if (argument.kind === "cached") return cached[argument.id]!;
        return argument.kind === "weight" ? weights[argument.key]! : values.get(argument.id)!;
      };
      const call = ({ callee, spec, args, op }: OpCall): Steps<SharedValue> => {
        const operands = args.map(operand);
        const here = party.at(op.result);
        if (callee.kind === "protocol") return byName(tools.protocols, callee.name).run(here, spec, ...operands);
        return withoutRounds(byName(tools.local, callee.name)(here, spec, ...operands));
      };
      for (const step of plan.steps) {
        const results = step.length === 1 ? [yield* call(step[0]!)] : yield* tools.parallel(...step.map(call));
        step.forEach(({ op }, k) => void values.set(op.result, results[k]!));
      }
      const outputs = Object.keys(plan.outputs).map((id) => [id, values.get(id)!] as const);
      return Object.fromEntries([...outputs, ...cachedValues.map(([name, id]) => [name, values.get(id)!] as const)]);
    },
  };
}

const byName = <T>(all: Readonly<Record<string, T>>, name: string): T => all[name]!;

function* withoutRounds(result: SharedValue): Steps<SharedValue> {
  return result;
}
