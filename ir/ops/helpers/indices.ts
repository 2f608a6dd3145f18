/** A negative index counts from the end. Throws a plain Error for an index out of range. */
export function wrapIndex(index: number, size: number): number {
  const wrapped = index < 0 ? index + size : index;
  if (!Number.isInteger(wrapped) || wrapped < 0 || wrapped >= size) {
    throw new Error(`expected an index from ${-size} to ${size - 1}, found ${index}`);
  }
  return wrapped;
}

/** Offset of the part that an index tuple selects; the tuple covers the first axes of `sizes`. */
export function offsetOf(tuple: ArrayLike<number>, sizes: readonly number[], part: number): number {
  let offset = 0;
  for (let axis = 0; axis < tuple.length; axis++) {
    const rest = sizes.slice(axis + 1, tuple.length).reduce((product, size) => product * size, 1);
    offset += wrapIndex(tuple[axis]!, sizes[axis]!) * rest;
  }
  return offset * part;
}
