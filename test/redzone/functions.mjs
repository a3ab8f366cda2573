/** Classes that their own functions make. */
const MADE = new Set([
  'Engine',
  'GatefoldError',
  'Kernels',
  'Model',
  'Stream',
  'ThreadedEngine',
  'Trainer',
]);
/** Not for users. */
const INTERNAL = new Set(['Model.over', 'Stream.over']);

const isClass = (value) => /^class\b/.test(Function.prototype.toString.call(value));

function ofClass(name, type) {
  const own = (object) =>
    Object.entries(Object.getOwnPropertyDescriptors(object)).filter(
      ([, { value, get }]) => typeof value === 'function' || get,
    );
  const members = [...own(type), ...own(type.prototype)].map(([key]) => key);
  const functions = members.filter((key) => !['constructor', 'prototype'].includes(key));
  return [...(MADE.has(name) ? [] : [name]), ...functions.map((key) => `${name}.${key}`)];
}

/** The names of all that a user can call. */
export function publicFunctions({ core, data, kernels, main, pytorch, safetensors, threads }) {
  const names = [core, data, kernels, main, pytorch, safetensors, threads].flatMap((entry) =>
    Object.entries(entry)
      .filter(([, value]) => typeof value === 'function')
      .flatMap(([name, value]) => (isClass(value) ? ofClass(name, value) : [name])),
  );
  return [...new Set(names)].filter((name) => !INTERNAL.has(name)).sort();
}
