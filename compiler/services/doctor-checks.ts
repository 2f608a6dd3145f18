import { createCipheriv, randomBytes } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { type Role, SessionError } from "../../runtime/core/index.ts";
import { matmul, matmulPlain, ringTensor } from "../../runtime/ring/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import { connect, type Identity } from "../../runtime/transport/node/index.ts";
import { runtimeInfo } from "../run/index.ts";
import { measureLink } from "./link-probe.ts";
import type { Endpoint } from "./service.ts";
import { connectionPurposes } from "./session-agreement.ts";

/** The result of one check; `help` only where it failed, or where it works and somebody should look at it. */
export interface HealthCheck {
  readonly what: string;
  /** Whether it works. */
  readonly fine: boolean;
  /** Set where it works, but slowly, or not for long. */
  readonly warning?: true;
  readonly found: string;
  readonly help?: string;
}

/** What works, and what to do about it. */
export interface Doubt {
  readonly found: string;
  readonly help: string;
}
type HealthProbe = readonly [what: string, help: string, check: () => string | Doubt | Promise<string | Doubt>];

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
  ["ChaCha20", "install a Node.js with OpenSSL", keystreamSpeed],
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

function keystreamSpeed(): string | Doubt {
  const cipher = createCipheriv("chacha20", randomBytes(32), randomBytes(16));
  const blank = new Uint8Array(cipherBytes);
  const started = performance.now();
  cipher.update(blank);
  const bytesPerMs = cipherBytes / (performance.now() - started);
  const found = `${(bytesPerMs / 1e6).toFixed(2)} GB/s`;
  const help = "marillc works, but makes randomness slowly: this machine is busy, or its Node.js has no fast ChaCha20";
  return bytesPerMs < slowBytesPerMs ? { found, help } : found;
}

async function runProbe([what, help, check]: HealthProbe): Promise<HealthCheck> {
  try {
    const found = await check();
    return { what, fine: true, ...(typeof found === "string" ? { found } : { warning: true, ...found }) };
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

/** Links beyond these make every round or byte felt. */
const slowLink = { roundTripMs: 150, mbitPerSecond: 10 } as const;

async function linkSpeed(channel: Channel): Promise<string | Doubt> {
  const { roundTripMs, mbitPerSecond } = await measureLink(channel);
  const found = `${roundTripMs.toFixed(1)} ms round trip, about ${Math.round(mbitPerSecond)} Mbit/s`;
  const isSlow = roundTripMs > slowLink.roundTripMs || mbitPerSecond < slowLink.mbitPerSecond;
  const link = `${Math.max(1, Math.round(mbitPerSecond))}x${Math.max(1, Math.round(roundTripMs))}`;
  const help = `marillc works, but slowly: see what a query takes on this link with marillc cost <build-dir> --link ${link}`;
  return isSlow ? { found, help } : found;
}

/**
 * Checks each hop to a party, up to the first that fails: with an identity in one connection, so that the other party's
 * log has no connection that breaks off. Without an identity it checks TCP only.
 */
export async function examineParty(
  role: Role,
  endpoint: Endpoint,
  identity?: Identity,
): Promise<readonly HealthCheck[]> {
  const { host, port } = endpoint;
  const where = `${role} ${host}:${port}`;
  const firewall = `check that the ${role} listens there, and that no firewall blocks the connection`;
  if (!identity) return [await runProbe([`${where}, TCP`, firewall, () => reachTcp(endpoint)])];
  let channel: Channel;
  try {
    channel = await connect({ ...endpoint, identity, expect: role, purpose: connectionPurposes.probe });
  } catch (error) {
    const isReached = !(error instanceof SessionError && error.reason === "unreachable");
    const refused = (): never => {
      throw error;
    };
    if (!isReached) return [await runProbe([`${where}, TCP`, firewall, refused])];
    const secure = `${where}, TLS 1.3 and certificates`;
    return [
      { what: `${where}, TCP`, fine: true, found: "reached" },
      await runProbe([secure, "check the certificates of both parties", refused]),
    ];
  }
  const accepted = `accepted by both, as ${identity.role}`;
  const link = await runProbe([
    `${where}, link`,
    `the ${role} ended the measurement: check its log`,
    () => linkSpeed(channel),
  ]);
  await channel.close();
  return [
    { what: `${where}, TCP`, fine: true, found: "reached" },
    { what: `${where}, TLS 1.3 and certificates`, fine: true, found: accepted },
    link,
  ];
}
