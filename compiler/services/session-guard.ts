import { type SessionError, sessionError } from "../../runtime/core/index.ts";
import type { Channel } from "../../runtime/transport/index.ts";
import type { Admission, Turn } from "./admission.ts";
import type { ServiceLimits } from "./service-limits.ts";

/** After this wait for its peer a session lets others compute, if some want to. A round trip is shorter. */
const yieldAfterMs = 250;

/** Watches one session: its time, its bytes, its computing, and whose turn it is. */
export interface SessionGuard {
  /** The channel of a party whose silence costs the session its turn, or only its bytes are counted. */
  readonly around: (channel: Channel, yields: boolean) => Channel;
  readonly onCompute: (ms: number) => void;
  /** The session is over: no timer is left. */
  readonly end: () => void;
}

/** `stop` ends the session with a reason. */
export function guardSession(
  { maxSessionSeconds, maxSessionBytes, maxSessionCompute }: ServiceLimits,
  { isContended }: Pick<Admission, "isContended">,
  turn: Turn,
  stop: (reason: SessionError) => void,
): SessionGuard {
  const over = (what: string, option: string): void => stop(sessionError("sessionLimit", { what, option }));
  const watched: Channel[] = [];
  let computedMs = 0;
  let yielded = false;
  const total = setTimeout(
    () => over(`${maxSessionSeconds} s`, "--max-session-seconds"),
    Math.min(2 ** 31 - 1, maxSessionSeconds * 1000),
  );
  const countBytes = (): void => {
    const bytes = watched.reduce(
      (sum, { sent, received }) =>
        sum + sent.payloadBytes + sent.framingBytes + received.payloadBytes + received.framingBytes,
      0,
    );
    if (bytes > maxSessionBytes) over(`${maxSessionBytes} bytes`, "--max-session-bytes");
  };
  /** While it waits for its peer, others compute. */
  const orYield = async (work: Promise<Uint8Array>): Promise<Uint8Array> => {
    const look = (): void => {
      if (yielded || !isContended()) return;
      yielded = true;
      turn.yieldTurn();
    };
    const timer = setInterval(look, yieldAfterMs);
    const frame = await work.finally(() => clearInterval(timer));
    if (yielded) await turn.resume();
    yielded = false;
    return frame;
  };
  return {
    around: (channel, yields) => {
      watched.push(channel);
      return {
        peer: channel.peer,
        left: channel.left,
        get sent() {
          return channel.sent;
        },
        get received() {
          return channel.received;
        },
        send: async (frame, kind) => {
          await channel.send(frame, kind);
          countBytes();
        },
        receive: async (expected) => {
          const work = channel.receive(expected);
          const frame = await (yields ? orYield(work) : work);
          countBytes();
          return frame;
        },
        close: (reason) => channel.close(reason),
      };
    },
    onCompute: (ms) => {
      computedMs += ms;
      if (computedMs > maxSessionCompute * 1000) over(`${maxSessionCompute} s of computing`, "--max-session-compute");
    },
    end: () => {
      clearTimeout(total);
      turn.leave();
    },
  };
}
