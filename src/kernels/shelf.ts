import { show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import type { Block } from '../engine/arena.ts';
import { kernelsOf } from '../engine/engine.ts';
import type { Engine } from '../engine/engine.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Plan } from '../engine/plan.ts';

/** What objects of one class keep in an engine's memory until they are disposed. */
export class Shelf<Owner extends object, Places> {
  readonly #what: string;
  /** All that ever had a place. */
  readonly #owners = new WeakSet<object>();
  readonly #kept = new WeakMap<Owner, { engine: Engine; block: Block; places: Places }>();

  /** @param what the argument that it is, and the primitive that makes it. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Takes the memory of a plan for an owner; it comes back when the owner is collected. */
  put(engine: Engine, owner: Owner, plan: Plan, places: Places): Kernels {
    const kernels = kernelsOf(engine);
    const block = kernels.arena.allocate(plan.bytes, `a ${this.#what}`, owner);
    plan.place(block);
    this.#owners.add(owner);
    this.#kept.set(owner, { engine, block, places });
    return kernels;
  }

  /**
   * What an owner keeps, or an error where it is none, is disposed, or lies in another engine.
   */
  of(engine: Engine, owner: Owner): Places {
    const name = this.#what;
    if (!this.#owners.has(owner)) {
      const message = `"${name}" expected what kernels.${name}() returns, got ${show(owner)}`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    const kept = this.#kept.get(owner);
    if (!kept) {
      const message = `the ${name} has been disposed; make another with kernels.${name}()`;
      throw new GatefoldError('ERR_DISPOSED', message);
    }
    if (kept.engine === engine) return kept.places;
    const message = `"${name}" lies in another engine: make it with the kernels that use it`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }

  /** Gives the memory back; a second time is of no effect. */
  drop(owner: Owner): void {
    const kept = this.#kept.get(owner);
    if (!kept || !this.#kept.delete(owner)) return;
    kernelsOf(kept.engine).arena.free(kept.block);
  }
}
