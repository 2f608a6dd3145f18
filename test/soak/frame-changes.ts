import { randomBytes, randomInt } from "node:crypto";
import type { Channel } from "../../runtime/transport/index.ts";

export interface Frame {
  readonly bytes: Uint8Array;
  readonly kind: "payload" | "control";
}
/** What leaves instead of a frame. */
export type Send = (frame: Frame) => readonly Frame[];

/** A channel of which frames are seen, and changed on their way out. */
export const around = (
  channel: Channel,
  hooks: { readonly send?: Send; readonly seen?: (frame: Uint8Array) => void },
): Channel => ({
  ...{ peer: channel.peer, left: channel.left, sent: channel.sent, received: channel.received },
  send: async (bytes, kind = "payload") => {
    if (kind === "wait") return await channel.send(bytes, kind);
    for (const frame of hooks.send?.({ bytes, kind }) ?? [{ bytes, kind }]) await channel.send(frame.bytes, frame.kind);
  },
  receive: async (expected) => {
    const frame = await channel.receive({ ...expected, timeoutMs: 1_000 });
    hooks.seen?.(frame.slice());
    return frame;
  },
  close: (reason) => channel.close(reason),
});

/** Other content of the same length: the session goes on. */
const contents: readonly ((bytes: Uint8Array, earlier: Uint8Array) => Uint8Array)[] = [
  (bytes) => flipped(bytes),
  (bytes) => flipped(bytes),
  ({ length }) => Uint8Array.from(randomBytes(length)),
  ({ length }) => new Uint8Array(length),
  ({ length }) => new Uint8Array(length).fill(255),
  // A frame that was sent before.
  (bytes, earlier) => (earlier.length === bytes.length ? earlier : flipped(bytes)),
];
function flipped(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  if (changed.length > 0) changed[randomInt(changed.length)]! ^= 1 << randomInt(8);
  return changed;
}

/** Another length, kind or number of frames: the session ends at once. */
const forms: readonly Send[] = [
  ({ bytes, kind }) => [{ bytes: bytes.slice(0, randomInt(bytes.length + 1)), kind }],
  ({ bytes, kind }) => [{ bytes: new Uint8Array(bytes.length + 1 + randomInt(4096)), kind }],
  ({ bytes, kind }) => [{ bytes, kind: kind === "payload" ? "control" : "payload" }],
  (frame) => [frame, frame],
  () => [],
];
/** One frame in so many changes its form, and one session in so many changes its control frames too. */
const rarity = { form: 400, control: 8 };

export interface Mutations {
  /** How to change the frames of one session. */
  readonly session: () => Send;
  readonly count: () => number;
  readonly text: () => string;
}

/** Every payload is changed. Handshakes and requests are right in most sessions, so that these go on. */
export function createMutations(): Mutations {
  const counts = { content: 0, form: 0, control: 0 };
  let sessions = 0;
  const count = (): number => counts.content + counts.form + counts.control;
  return {
    count,
    text: () =>
      `${count()} frames in ${sessions} sessions (${counts.content} other content, ${counts.form} other form, ${counts.control} control)`,
    session: () => {
      const inControl = ++sessions % rarity.control === 0;
      let earlier: Uint8Array = new Uint8Array(0);
      return (frame) => {
        if (frame.kind === "control" && !inControl) return [frame];
        const isForm = randomInt(rarity.form) === 0;
        counts[frame.kind === "control" ? "control" : isForm ? "form" : "content"]++;
        if (isForm) return forms[randomInt(forms.length)]!(frame);
        const bytes = contents[randomInt(contents.length)]!(frame.bytes, earlier);
        earlier = frame.bytes.slice();
        return [{ ...frame, bytes }];
      };
    },
  };
}
