/** A negative index counts from the end. */
export function wrapIndex(index: number, extent: number): number {
  const wrapped = index < 0 ? index + extent : index;
  if (!Number.isInteger(wrapped) || wrapped < 0 || wrapped >= extent) {
    throw new Error(`expected an index from ${-extent} to ${extent - 1}, found ${index}`);
  }
  return wrapped;
}

/** Where the part that an index tuple chooses begins; the tuple covers the first axes of `extents`. */
export function offsetOf(tuple: ArrayLike<number>, extents: readonly number[], part: number): number {
  let offset = 0;
  for (let axis = 0; axis < tuple.length; axis++) {
    const rest = extents.slice(axis + 1, tuple.length).reduce((product, extent) => product * extent, 1);
    offset += wrapIndex(tuple[axis]!, extents[axis]!) * rest;
  }
  return offset * part;
}
