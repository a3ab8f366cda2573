import { TILES_SMALL, TILES_USUAL, TILES_WIDE } from '../../assembly/shared/codes.ts';

/** What the kernels import. */
export interface KernelImports {
  readonly env: {
    /** A shared one is taken by other threads of the process as it is. */
    readonly memory: WebAssembly.Memory;
    /** Tiles of products: `TILES_USUAL`, `TILES_WIDE` or `TILES_SMALL`. */
    readonly tiles: number;
  };
}

/** Where a host that has a `process` says what it is. */
interface Host {
  readonly process?: {
    readonly arch?: string;
    readonly versions?: { readonly v8?: string; readonly bun?: string };
  };
}

/**
 * The tiles of an engine. V8 before 13 (Node 20 and 22) keeps sums of the usual ones in memory,
 * where a processor has 16 registers for vectors. Bun names a V8 that it does not have.
 */
export function tilesOf(wide: boolean): number {
  if (wide) return TILES_WIDE;
  const { arch, versions = {} } = (globalThis as Host).process ?? {};
  const isOld = Number.parseInt(versions.v8 ?? '', 10) < 13 && !versions.bun;
  return isOld && arch === 'x64' ? TILES_SMALL : TILES_USUAL;
}
