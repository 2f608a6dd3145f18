type Metadata = Map<PropertyKey | undefined, Map<unknown, unknown>>;

const store = new WeakMap<object, Metadata>();

function own(key: unknown, target: object, property?: PropertyKey): unknown {
  return store.get(target)?.get(property)?.get(key);
}

function define(key: unknown, value: unknown, target: object, property?: PropertyKey): void {
  const metadata: Metadata = store.get(target) ?? new Map();
  store.set(target, metadata);
  const values = metadata.get(property) ?? new Map();
  metadata.set(property, values);
  values.set(key, value);
}

function inherited(key: unknown, target: object, property?: PropertyKey): unknown {
  for (let each: object | null = target; each; each = Reflect.getPrototypeOf(each)) {
    const value = own(key, each, property);
    if (value !== undefined) return value;
  }
  return undefined;
}

/**
 * Installs the part of the Reflect Metadata proposal (rbuckton.github.io/reflect-metadata) that @peculiar/x509 expects
 * as a global: its container, tsyringe, and its own decorators call these four functions and no others.
 */
export function installReflectMetadata(): void {
  if ("getMetadata" in Reflect) return;
  Object.assign(Reflect, {
    defineMetadata: define,
    getMetadata: inherited,
    getOwnMetadata: own,
    metadata: (key: unknown, value: unknown) => (target: object, property?: PropertyKey) =>
      define(key, value, target, property),
  });
}
