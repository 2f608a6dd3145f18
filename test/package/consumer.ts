/** A program of a user of the package: compiled against its types by test/package and by `npm run try-package`. */
import {
  type BuildCheckResult,
  type CompileOptions,
  type CompileResult,
  type CostResult,
  check,
  checkBuild,
  compile,
  cost,
  createKeys,
  DiagnosticError,
  deal,
  doctor,
  evaluate,
  type GenerateResult,
  generate,
  inspect,
  inspectBuild,
  query,
  type RunResult,
  rewrite,
  run,
  type Service,
  SessionError,
  serve,
  UsageError,
  version,
} from "marillc";
import {
  memoryPair,
  openClient,
  openServer,
  type Program,
  type Protocol,
  predict,
  ring,
  runDealer,
} from "marillc/runtime";
import { connect, type Identity, listen } from "marillc/runtime/node";
import { schemas } from "marillc/schemas";

const options: CompileOptions = {
  model: "model.onnx",
  output: "build",
  reveal: { logits: "client" },
  link: { name: "ours", mbitPerSecond: 1000, roundTripMs: 10 },
  dims: { seq: 128 },
};

export async function all(signal: AbortSignal): Promise<void> {
  const build: CompileResult = await compile(options);
  const checked: BuildCheckResult = checkBuild({ build: build.directory });
  const { passed } = await check({ model: "model.onnx" });
  const counted: CostResult = await cost({ build: "build", links: ["lan", "100x40"], budget: { rounds: 100 } });
  const shape = await cost({ architecture: "bert-base", dims: { seq: 128 }, phase: "prefill" });
  const ran: RunResult = await run({
    build: "build",
    inputs: { x: [[1, 2]], y: { shape: [1], data: [3n] }, z: "z.npy" },
  });
  const text: GenerateResult = await generate({
    build: "build",
    prompt: "x",
    onToken: ({ cost: { rounds } }) => rounds,
  });
  const service: Service = await serve({
    build: "b",
    listen: "h:1",
    dealer: { host: "h", port: 2 },
    identity: "i",
    signal,
  });
  await deal({ listen: "h:2", identity: "i", maxBytes: 1e9 });
  await query({ build: "b", server: service, dealer: "h:2", identity: "i", inputs: {}, signal });
  const others = [inspect({ model: "m", stage: "select" }), doctor(), createKeys({ folder: "k" })] as const;
  const measured = await evaluate({ build: "b", prompts: "p", reference: "r" });
  const student = await rewrite({ model: "m", output: "s.onnx", heads: { what: "merge", size: 2 } });
  const { manifest } = inspectBuild({ build: "build" });
  console.log(
    build.predicted.online.bytes["client→server"],
    checked.opened[0]?.to,
    passed,
    counted.exceeded,
    shape.layers,
  );
  console.log(ran.outputs.x?.shape, text.perToken[0]?.seconds.online, others, measured.errorBound, student.files.data);
  console.log(manifest.reveals, version, schemas.run?.required);
}

export const codeOf = (error: unknown): string | undefined =>
  error instanceof DiagnosticError || error instanceof UsageError
    ? error.diagnostics[0]?.code
    : error instanceof SessionError
      ? error.code
      : undefined;

export const costOf = (program: Program): number => predict(program).online.rounds;
export const parts = { connect, listen, memoryPair, openClient, openServer, ring, runDealer };
export type { Identity, Protocol };
