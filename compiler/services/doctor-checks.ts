import { createCipheriv, randomBytes } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { type Role, SessionError } from "../../runtime/core/index.ts";
import { matmul, matmulPlain, ringTensor } from "../../runtime/ring/index.ts";
import { connect, type Identity } from "../../runtime/transport/node/index.ts";
import { runtimeInfo } from "../run/index.ts";
import { measureLink } from "./link-probe.ts";
import type { Endpoint } from "./service.ts";
import { connectionPurposes } from "./session-agreement.ts";

/** The result of one check; `help` only where it failed. */
export interface HealthCheck {
  readonly what: string;
  readonly fine: boolean;
  readonly found: string;
  readonly help?: string;
}

type HealthProbe = readonly [what: string, help: string, check: () => string | Promise<string>];

/** A module with one SIMD instruction; github.com/GoogleChromeLabs/wasm-feature-detect, detectors/simd. */
const simdModule = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);
const minNode = [20, 19] as const;

const localProbes: readonly HealthProbe[] = [
  [
    "Node.js",
    `install Node.js ${minNode.join(".")} or later`,
    () => {
      const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
      const [least, leastMinor] = minNode;
      if (major < least || (major === least && minor < leastMinor)) throw new Error(process.versions.node);
      return process.versions.node;
    },
  ],
  [
    "WebAssembly SIMD",
    "use a Node.js build with WebAssembly SIMD for this processor",
    () => {
      // Only the DOM library declares it, and this code does not use the DOM.
      const { WebAssembly } = globalThis as unknown as { WebAssembly: { validate: (bytes: Uint8Array) => boolean } };
      if (!WebAssembly.validate(simdModule)) throw new Error("missing");
      return "works";
    },
  ],
  ["kernels", "install marillc again: its kernels compute wrong results", kernelSpeed],
  ["ONNX Runtime", "install marillc again, and leave MARILLC_ONNX_RUNTIME unset", onnxRuntimeFound],
  ["ChaCha20", "this Node.js makes randomness slowly: marillc works, but slowly", keystreamSpeed],
];

async function onnxRuntimeFound(): Promise<string> {
  const { name, version, because } = await runtimeInfo();
  if (name === "native") return `${version}, native`;
  const faster = because === undefined ? "" : ` (${because}; npm install onnxruntime-node is optional, and faster)`;
  return `${version}, WebAssembly${faster}`;
}

/** Rows and columns: large enough for the WebAssembly path. */
const side = 128;

function kernelSpeed(): string {
  const draw = () => ringTensor([side, side], 32, crypto.getRandomValues(new Uint32Array(side * side)));
  const [x, y] = [draw(), draw()];
  const expected = matmulPlain(x, y).data!;
  const started = performance.now();
  const found = matmul(x, y).data!;
  const elapsedMs = performance.now() - started;
  if (found.some((lane, k) => lane !== expected[k])) throw new Error("a matrix product is wrong");
  return `${(side ** 3 / elapsedMs / 1e6).toFixed(1)} G products/s`;
}

const cipherBytes = 2 ** 24;
const slowBytesPerMs = 1e5;

function keystreamSpeed(): string {
  const cipher = createCipheriv("chacha20", randomBytes(32), randomBytes(16));
  const blank = new Uint8Array(cipherBytes);
  const started = performance.now();
  cipher.update(blank);
  const bytesPerMs = cipherBytes / (performance.now() - started);
  const speed = `${(bytesPerMs / 1e6).toFixed(2)} GB/s`;
  if (bytesPerMs < slowBytesPerMs) throw new Error(speed);
  return speed;
}

async function runProbe([what, help, check]: HealthProbe): Promise<HealthCheck> {
  try {
    return { what, fine: true, found: await check() };
  } catch (error) {
    const { message } = error as Error;
    const own = error instanceof SessionError ? error.help : undefined;
    return { what, fine: false, found: message, help: own ?? help };
  }
}

export async function examineMachine(): Promise<readonly HealthCheck[]> {
  const findings: HealthCheck[] = [];
  // In sequence, because two of them measure speed.
  for (const check of localProbes) findings.push(await runProbe(check));
  return findings;
}

const tcpTimeoutMs = 5_000;

function reachTcp({ host, port }: Endpoint): Promise<string> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, timeout: tcpTimeoutMs });
    const settle = (then: () => void): void => {
      socket.destroy();
      then();
    };
    socket.once("connect", () => settle(() => resolve(`${(performance.now() - started).toFixed(1)} ms`)));
    socket.once("timeout", () => settle(() => reject(new Error(`no answer within ${tcpTimeoutMs / 1000} s`))));
    socket.once("error", (error: NodeJS.ErrnoException) =>
      settle(() => reject(new Error(error.code ?? error.message))),
    );
  });
}

/** Checks each hop to a party, up to the first that fails. Without an identity it checks TCP only. */
export async function examineParty(
  role: Role,
  endpoint: Endpoint,
  identity?: Identity,
): Promise<readonly HealthCheck[]> {
  const { host, port } = endpoint;
  const where = `${role} ${host}:${port}`;
  const firewall = `check that the ${role} listens there, and that no firewall blocks the connection`;
  const tcp = await runProbe([`${where}, TCP`, firewall, () => reachTcp(endpoint)]);
  if (!tcp.fine || !identity) return [tcp];
  const links: HealthCheck[] = [];
  const help = "check the certificates of both parties";
  const secure = await runProbe([
    `${where}, TLS 1.3 and certificates`,
    help,
    async () => {
      const channel = await connect({ ...endpoint, identity, expect: role, purpose: connectionPurposes.probe });
      links.push(
        await runProbe([
          `${where}, link`,
          `the ${role} ended the measurement: check its log`,
          async () => {
            const { roundTripMs, mbitPerSecond } = await measureLink(channel);
            return `${roundTripMs.toFixed(1)} ms round trip, about ${Math.round(mbitPerSecond)} Mbit/s`;
          },
        ]),
      );
      await channel.close();
      return `accepted by both, as ${identity.role}`;
    },
  ]);
  return [tcp, secure, ...links];
}
