/** Lets `using` end an object, in the hosts that know `Symbol.dispose`. */
export function disposable(type: { readonly prototype: { dispose(): void } }): void {
  if (typeof Symbol.dispose !== 'symbol') return;
  Object.defineProperty(type.prototype, Symbol.dispose, {
    value(this: { dispose(): void }): void {
      this.dispose();
    },
  });
}
