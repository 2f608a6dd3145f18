import type { Channel } from "./channel.ts";

/** A channel that does its own work around another's; counters are those of the other, live. */
export const aroundChannel = (
  channel: Channel,
  own: Partial<Pick<Channel, "send" | "receive" | "close">>,
): Channel => ({
  peer: channel.peer,
  left: channel.left,
  ...(channel.link && { link: channel.link }),
  get waitedMs() {
    return channel.waitedMs ?? 0;
  },
  get sent() {
    return channel.sent;
  },
  get received() {
    return channel.received;
  },
  send: (frame, kind) => channel.send(frame, kind),
  receive: (expected) => channel.receive(expected),
  close: (reason) => channel.close(reason),
  ...own,
});
