/**
 * `Disposable` in programs whose `lib` declares `Symbol.dispose`. In others it asks for nothing, so
 * that the declarations of the package compile there too.
 */
export interface HostDisposable extends Disposer {}
type Disposer = SymbolConstructor extends { readonly dispose: infer Key extends symbol }
  ? { readonly [key in Key]: () => void }
  : object;

/** Lets `using` end an object, in the hosts that know `Symbol.dispose`. */
export function disposable(type: { readonly prototype: { dispose(): void } }): void {
  if (typeof Symbol.dispose !== 'symbol') return;
  Object.defineProperty(type.prototype, Symbol.dispose, {
    value(this: { dispose(): void }): void {
      this.dispose();
    },
  });
}
