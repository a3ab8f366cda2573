// One module of two that asc makes of the same sources, in the text format. The loops over the
// units of a cell come from that optimized for speed: that for size computes one activation after
// another, which makes a stream 5 to 9 % slower. All else comes from that for size, a tenth less.
import binaryen from 'binaryen';

const FUNCTION = /^ \(func \$("[^"]+"|[^\s)]+)[^]*?^ \)\n/gm;
/** Those of the cells that most models have, without options. */
const LOOP = /\/everyPanel<.*\/(Gated|Gru\w+|Full)\b.*policy\/Usual</;

/** @param {{ fast: string, small: string }} modules */
export function mixed({ fast, small }) {
  const loops = new Map();
  for (const [text, name] of fast.matchAll(FUNCTION)) if (LOOP.test(name)) loops.set(name, text);
  if (loops.size === 0) throw new Error('build/mix.mjs finds no loop over the units of a cell');
  return small.replace(FUNCTION, (text, name) => loops.get(name) ?? text);
}

/** The bytes of a module. */
export function assemble(text) {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.All);
  if (!module.validate()) throw new Error('build/mix.mjs made a module that is not valid');
  return module.emitBinary();
}
