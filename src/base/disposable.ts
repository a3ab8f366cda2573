/** `Disposable` in programs whose `lib` declares it. In others it asks for nothing. */
type Disposes = SymbolConstructor extends { readonly dispose: infer Key extends symbol }
  ? { readonly [key in Key]: () => void }
  : object;
export interface HostDisposable extends Disposes {}

/**
 * What ends with `dispose()`, and with `using` in the hosts that know `Symbol.dispose`. It is a
 * base class rather than a call for each class: bundlers drop unused classes, but no calls.
 */
export abstract class HostDisposable {
  /** Gives its memory back; using it afterwards is `ERR_DISPOSED`. */
  abstract dispose(): void;
}

if (typeof Symbol.dispose === 'symbol') {
  Object.defineProperty(HostDisposable.prototype, Symbol.dispose, {
    value(this: HostDisposable): void {
      this.dispose();
    },
  });
}
