/**
 * Pairs of vertices of a complete graph with the greatest sum of weights, exactly: Edmonds' blossoms with dual
 * variables in O(n³) (Galil, "Efficient algorithms for finding maximum matching in graphs", ACM Computing Surveys 18,
 * 1986). `weight(i, j)` is symmetric; an undefined one is no edge. The number of vertices is even. Pairs are sorted.
 * Throws a RangeError for an odd count.
 */
export function maxWeightPairs(
  count: number,
  weight: (i: number, j: number) => number | undefined,
): readonly (readonly [number, number])[] {
  if (count % 2 !== 0) throw new RangeError(`${count} vertices cannot be paired`);
  const partner = blossomMatching(count, integerWeights(count, weight));
  return partner.flatMap((j, i): (readonly [number, number])[] => (i < j ? [[i, j]] : []));
}

/**
 * Scales weights to integers, for which every step is exact: 2^30 steps over their range, offset above any sum of
 * gains.
 */
function integerWeights(count: number, weight: (i: number, j: number) => number | undefined): Float64Array[] {
  const all: number[] = [];
  for (let i = 0; i < count; i++) for (let j = 0; j < i; j++) all.push(...[weight(i, j) ?? []].flat());
  const least = Math.min(...all);
  const step = (Math.max(...all) - least) / 2 ** 30 || 1;
  const floor = 2 ** 31 * count; // One more pair outweighs everything else: the matching is perfect where one exists.
  return Array.from({ length: count + 1 }, (_, i) =>
    Float64Array.from({ length: count + 1 }, (_unused, j) => {
      const w = i === 0 || j === 0 || i === j ? undefined : weight(i - 1, j - 1);
      return w === undefined ? 0 : 2 * (floor + Math.round((w - least) / step));
    }),
  );
}

/** Vertices are 1 to n, blossoms n + 1 to 2n; 0 is none. */
function blossomMatching(n: number, w: readonly Float64Array[]): readonly number[] {
  const size = 2 * n + 1;
  const table = (): Int32Array[] => Array.from({ length: size }, () => new Int32Array(size));
  /** The edge of the graph that joins u and v, either of which may be a blossom: its ends. */
  const [from, to] = [table(), table()];
  const within = table(); // within[b][v]: the part of blossom b that holds vertex v.
  const dual = new Float64Array(size);
  const [match, slack, top, parent, side, seen] = Array.from({ length: 6 }, () => new Int32Array(size)) as Int32Array[];
  const parts: number[][] = Array.from({ length: size }, () => []);
  let queue: number[] = [];
  let used = n;
  let mark = 0;
  const [even, odd, free] = [0, 1, -1];

  for (let u = 1; u <= n; u++) {
    top![u] = u;
    within[u]![u] = u;
    dual[u] = Math.max(...w.map((row) => Math.max(...row)));
    for (let v = 1; v <= n; v++) [from[u]![v], to[u]![v]] = [u, v];
  }

  const gap = (u: number, v: number): number => {
    const [a, b] = [from[u]![v]!, to[u]![v]!];
    return a === 0 ? Number.POSITIVE_INFINITY : dual[a]! + dual[b]! - 2 * w[a]![b]!;
  };
  const isEdge = (u: number, v: number): boolean => from[u]![v] !== 0 && w[from[u]![v]!]![to[u]![v]!]! > 0;
  const offer = (u: number, x: number): void => {
    if (!slack![x] || gap(u, x) < gap(slack![x]!, x)) slack![x] = u;
  };
  const findSlack = (x: number): void => {
    slack![x] = 0;
    for (let u = 1; u <= n; u++) if (isEdge(u, x) && top![u] !== x && side![top![u]!] === even) offer(u, x);
  };
  const enqueue = (x: number): void => {
    if (x <= n) queue.push(x);
    else for (const part of parts[x]!) enqueue(part);
  };
  const setTop = (x: number, b: number): void => {
    top![x] = b;
    if (x > n) for (const part of parts[x]!) setTop(part, b);
  };
  /** Position of a part on the even path around its blossom. */
  const indexIn = (b: number, part: number): number => {
    const index = parts[b]!.indexOf(part);
    if (index % 2 === 0) return index;
    parts[b] = [parts[b]![0]!, ...parts[b]!.slice(1).reverse()];
    return parts[b]!.length - index;
  };
  const setMatch = (u: number, v: number): void => {
    match![u] = to[u]![v]!;
    if (u <= n) return;
    const part = within[u]![from[u]![v]!]!;
    const index = indexIn(u, part);
    for (let i = 0; i < index; i++) setMatch(parts[u]![i]!, parts[u]![i ^ 1]!);
    setMatch(part, v);
    parts[u] = [...parts[u]!.slice(index), ...parts[u]!.slice(0, index)];
  };
  const augment = (start: number, end: number): void => {
    for (let [u, v] = [start, end]; ; ) {
      const next = top![match![u]!]!;
      setMatch(u, v);
      if (!next) return;
      setMatch(next, top![parent![next]!]!);
      [u, v] = [top![parent![next]!]!, next];
    }
  };
  const meeting = (start: number, end: number): number => {
    mark++;
    for (let [u, v] = [start, end]; u || v; [u, v] = [v, u]) {
      if (!u) continue;
      if (seen![u] === mark) return u;
      seen![u] = mark;
      u = top![match![u]!]!;
      if (u) u = top![parent![u]!]!;
    }
    return 0;
  };
  const shrink = (u: number, root: number, v: number): void => {
    let b = n + 1;
    while (b <= used && top![b]) b++;
    used = Math.max(used, b);
    dual[b] = 0;
    side![b] = even;
    match![b] = match![root]!;
    const way = (start: number): number[] => {
      const passed: number[] = [];
      for (let x = start; x !== root; ) {
        const mate = top![match![x]!]!;
        passed.push(x, mate);
        enqueue(mate);
        x = top![parent![mate]!]!;
      }
      return passed;
    };
    parts[b] = [root, ...way(u).reverse(), ...way(v)];
    setTop(b, b);
    for (let x = 1; x <= used; x++) from[b]![x] = to[b]![x] = from[x]![b] = to[x]![b] = 0;
    within[b]!.fill(0);
    for (const part of parts[b]!) {
      for (let x = 1; x <= used; x++) {
        if (!isEdge(part, x) || (isEdge(b, x) && gap(part, x) >= gap(b, x))) continue;
        [from[b]![x], to[b]![x]] = [from[part]![x]!, to[part]![x]!];
        [from[x]![b], to[x]![b]] = [from[x]![part]!, to[x]![part]!];
      }
      for (let x = 1; x <= n; x++) if (within[part]![x]) within[b]![x] = part;
    }
    findSlack(b);
  };
  const open = (b: number): void => {
    for (const part of parts[b]!) setTop(part, part);
    const entry = within[b]![from[b]![parent![b]!]!]!;
    const index = indexIn(b, entry);
    for (let i = 0; i < index; i += 2) {
      const [x, y] = [parts[b]![i]!, parts[b]![i + 1]!];
      parent![x] = from[y]![x]!;
      side![x] = odd;
      side![y] = even;
      slack![x] = 0;
      findSlack(y);
      enqueue(y);
    }
    side![entry] = odd;
    parent![entry] = parent![b]!;
    for (const x of parts[b]!.slice(index + 1)) {
      side![x] = free;
      findSlack(x);
    }
    top![b] = 0;
  };
  /** Uses an edge without slack: the tree grows, a blossom forms, or two trees meet (true). */
  const take = (x: number, y: number): boolean => {
    const [a, b] = [from[x]![y]!, to[x]![y]!];
    const [u, v] = [top![a]!, top![b]!];
    if (side![v] === free) {
      const mate = top![match![v]!]!;
      parent![v] = a;
      side![v] = odd;
      slack![v] = slack![mate] = 0;
      side![mate] = even;
      enqueue(mate);
    } else if (side![v] === even) {
      const root = meeting(u, v);
      if (root) shrink(u, root, v);
      else {
        augment(u, v);
        augment(v, u);
        return true;
      }
    }
    return false;
  };
  const isTop = (x: number): boolean => top![x] === x;
  const scan = (): boolean => {
    for (let u = queue.shift(); u !== undefined; u = queue.shift()) {
      if (side![top![u]!] === odd) continue;
      for (let v = 1; v <= n; v++) {
        if (!isEdge(u, v) || top![u] === top![v]) continue;
        if (gap(u, v) > 0) offer(u, top![v]!);
        else if (take(u, v)) return true;
      }
    }
    return false;
  };
  /** Changes the dual variables until an edge has no slack; false: no more vertex can be matched. */
  const relax = (): boolean => {
    let step = Number.POSITIVE_INFINITY;
    for (let x = 1; x <= used; x++) {
      if (!isTop(x)) continue;
      if (x > n && side![x] === odd) step = Math.min(step, dual[x]! / 2);
      if (slack![x] && side![x] !== odd) step = Math.min(step, gap(slack![x]!, x) / (side![x] === even ? 2 : 1));
    }
    for (let u = 1; u <= n; u++) {
      const at = side![top![u]!];
      if (at === even && dual[u]! <= step) return false;
      dual[u] = dual[u]! + (at === even ? -step : at === odd ? step : 0);
    }
    for (let b = n + 1; b <= used; b++) {
      if (isTop(b) && side![b] !== free) dual[b] = dual[b]! + (side![b] === even ? 2 : -2) * step;
    }
    return true;
  };
  /** Adds one pair; false: there is none. */
  const phase = (): boolean => {
    side!.fill(free);
    slack!.fill(0);
    queue = [];
    for (let x = 1; x <= used; x++) {
      if (!isTop(x) || match![x]) continue;
      parent![x] = 0;
      side![x] = even;
      enqueue(x);
    }
    if (queue.length === 0) return false;
    for (;;) {
      if (scan()) return true;
      if (!relax()) return false;
      queue = [];
      for (let x = 1; x <= used; x++) {
        const u = slack![x]!;
        if (isTop(x) && u && top![u] !== x && gap(u, x) === 0 && take(u, x)) return true;
      }
      for (let b = n + 1; b <= used; b++) if (isTop(b) && side![b] === odd && dual[b] === 0) open(b);
    }
  };
  while (phase()) {
    // Each phase adds one pair.
  }
  return Array.from({ length: n }, (_, u) => match![u + 1]! - 1);
}
