import type { Socket } from "node:net";

const defaultMost = 1024;
const defaultMostPerAddress = 256;

/** What a listener allows before the first frame. */
export interface UngreetedLimits {
  readonly maxUngreeted?: number;
  readonly maxUngreetedPerAddress?: number;
  readonly onDropped?: (address: string) => void;
}

/**
 * Connections that have not greeted yet, the oldest first. Beyond the bounds the oldest is dropped, of the same address
 * if that has too many: whoever opens connections and says nothing pushes out its own.
 */
export class Ungreeted {
  readonly #sockets = new Map<string, { readonly socket: Socket; readonly address: string }>();
  readonly #byAddress = new Map<string, Set<string>>();
  readonly #limits: UngreetedLimits;

  constructor(limits: UngreetedLimits) {
    this.#limits = limits;
  }

  add(from: string, socket: Socket): void {
    const { maxUngreeted = defaultMost, maxUngreetedPerAddress = defaultMostPerAddress } = this.#limits;
    const address = socket.remoteAddress ?? "";
    const own = this.#byAddress.get(address) ?? new Set<string>();
    this.#byAddress.set(address, own);
    own.add(from);
    this.#sockets.set(from, { socket, address });
    socket.once("close", () => this.delete(from));
    if (own.size > maxUngreetedPerAddress) this.#drop(own);
    if (this.#sockets.size > maxUngreeted) this.#drop(this.#sockets.keys());
  }

  /** It greeted, or is closed. */
  delete(from: string): void {
    const found = this.#sockets.get(from);
    if (!found) return;
    this.#sockets.delete(from);
    const own = this.#byAddress.get(found.address);
    own?.delete(from);
    if (own?.size === 0) this.#byAddress.delete(found.address);
  }

  destroy(): void {
    for (const { socket } of this.#sockets.values()) socket.destroy();
  }

  #drop(oldestFirst: Iterable<string>): void {
    const [oldest] = oldestFirst;
    if (oldest === undefined) return;
    const { socket, address } = this.#sockets.get(oldest)!;
    this.delete(oldest);
    this.#limits.onDropped?.(address);
    socket.destroy();
  }
}
