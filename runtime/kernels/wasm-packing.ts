import { countUp, type FunctionBody, local, scalar } from "./wasm-bytes.ts";

/** Elements that a loop packs or unpacks at a time: they fill `width` words of 64 bits. */
export const packedGroup = 64;

/** Parameters: the end of the elements in bytes, address of the elements, address of the packed bytes. */
const [limit, elements, packed, current, next] = [0, 1, 2, 3, 4];

const advance = (index: number, by: number): number[] => [
  ...[...local.get(index), ...scalar.i32(by), scalar.addI32, ...local.set(index)],
];

/**
 * pack(end, from, to): 64 elements at a time, from words of `size` bytes to `width` bits each, little-endian. The bits of
 * an element above its width are zero.
 */
export function encodePack(width: number): FunctionBody {
  const size = width <= 32 ? 4 : 8;
  const body: number[] = [];
  let filled = 0;
  let word = 0;
  for (let k = 0; k < packedGroup; k++) {
    const load = size === 4 ? scalar.loadWord(size * k) : scalar.load(size * k);
    body.push(...local.get(elements), ...load, ...local.set(next));
    if (filled === 0) body.push(...local.get(next));
    else body.push(...local.get(current), ...local.get(next), ...scalar.i64(filled), scalar.shlI64, scalar.orI64);
    body.push(...local.set(current));
    filled += width;
    if (filled < 64) continue;
    body.push(...local.get(packed), ...local.get(current), ...scalar.store(8 * word++));
    filled -= 64;
    if (filled > 0) body.push(...local.get(next), ...scalar.i64(width - filled), scalar.shrI64, ...local.set(current));
  }
  return around("pack", body, size, width);
}

/** unpack(end, to, from): the inverse. */
export function encodeUnpack(width: number): FunctionBody {
  const size = width <= 32 ? 4 : 8;
  const body: number[] = [];
  const word = (index: number): number[] => [...local.get(packed), ...scalar.load(8 * index)];
  const mask = width === 64 ? [] : [...maskBits(width), scalar.andI64];
  for (let k = 0; k < packedGroup; k++) {
    const [from, at] = [(k * width) % 64, Math.floor((k * width) / 64)];
    body.push(...local.get(elements));
    body.push(...word(at), ...(from > 0 ? [...scalar.i64(from), scalar.shrI64] : []));
    if (from + width > 64) body.push(...word(at + 1), ...scalar.i64(64 - from), scalar.shlI64, scalar.orI64);
    body.push(...mask, ...(size === 4 ? scalar.storeWord(size * k) : scalar.store(size * k)));
  }
  return around("unpack", body, size, width);
}

/** width ones: −1 shifted right. */
const maskBits = (width: number): number[] => [...scalar.i64(-1), ...scalar.i64(64 - width), scalar.shrI64];

function around(name: string, body: readonly number[], size: number, width: number): FunctionBody {
  return {
    ...{ name, parameters: 3, locals: { i64: 2 } },
    code: countUp(elements, limit, size * packedGroup, [...body, ...advance(packed, 8 * width)]),
  };
}
