/** What Node, and hosts that are like it, have as `process`. */
interface Process {
  readonly versions?: { readonly node?: string };
  readonly getBuiltinModule?: (name: string) => unknown;
}

/** Modules of Node that threads use. */
interface Builtins {
  'node:os': typeof import('node:os');
  'node:worker_threads': typeof import('node:worker_threads');
}

const { process } = globalThis as { readonly process?: Process };

/** A module of Node where it can be had at once: Node before 20.16 imports it instead. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  return process?.getBuiltinModule?.(name) as Builtins[Name] | undefined;
}

/** A module of Node; undefined in other hosts. */
export async function importBuiltin<Name extends keyof Builtins>(
  name: Name,
): Promise<Builtins[Name] | undefined> {
  if (!process?.versions?.node) return undefined;
  try {
    // No literal, so that bundlers for pages leave it alone.
    const found: unknown = await import(/* webpackIgnore: true */ /* @vite-ignore */ name);
    return builtin(name) ?? (found as Builtins[Name]);
  } catch {
    return builtin(name);
  }
}
