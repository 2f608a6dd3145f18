import { sessionError } from "../../core/index.ts";
import type { Channel } from "../index.ts";

/** The purpose of a connection: the connecting party sends it before anything else. */
export interface Hello {
  /** Lower-case word, such as "online" or "correlations". */
  readonly purpose: string;
  /** Letters, digits, `-` and `_`; may be empty. */
  readonly session: string;
}

const greetingVersion = 1;
const maxHelloBytes = 256;
const purposePattern = /^[a-z][a-z0-9-]{0,31}$/;
const sessionPattern = /^[A-Za-z0-9_-]{0,128}$/;
const welcome = Uint8Array.of(greetingVersion);

export async function greet(channel: Channel, hello: Hello, timeoutMs: number): Promise<void> {
  if (!isHello(hello)) throw new RangeError("a greeting needs a purpose like online and a session like 3f-9a");
  const text = JSON.stringify({ marillc: greetingVersion, purpose: hello.purpose, session: hello.session });
  await channel.send(new TextEncoder().encode(text), "control");
  const [version] = await channel.receive({ exactBytes: welcome.length, kind: "control", timeoutMs });
  if (version !== greetingVersion) {
    throw sessionError("wrongVersion", { mine: greetingVersion, theirs: version ?? 0, peer: channel.peer });
  }
}

export async function receiveHello(channel: Channel, timeoutMs: number): Promise<Hello> {
  const hello = parseHello(await channel.receive({ maxBytes: maxHelloBytes, kind: "control", timeoutMs }));
  if (!hello) throw sessionError("malformed", { peer: channel.peer, what: "greeting" });
  await channel.send(welcome, "control");
  return hello;
}

function parseHello(bytes: Uint8Array): Hello | undefined {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Record<string, unknown> | null;
    const hello = { purpose: value?.purpose, session: value?.session };
    return value?.marillc === greetingVersion && isHello(hello) ? hello : undefined;
  } catch {
    return undefined;
  }
}

const isHello = (hello: { purpose: unknown; session: unknown }): hello is Hello =>
  typeof hello.purpose === "string" &&
  purposePattern.test(hello.purpose) &&
  typeof hello.session === "string" &&
  sessionPattern.test(hello.session);
