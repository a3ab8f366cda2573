/**
 * How calls are drawn. A call says what has to come of it (`expect`), which twins a valid one
 * changes (`touches`), and runs once in each build.
 */

import { Each, Outputs, array, spoil } from '../spoil.mjs';
import { digest } from '../world.mjs';

/** Share of the calls that have an argument spoiled. */
export const SPOILED = 0.35;
/** Share of the calls with options one of which disposes what is in use when it is read. */
const DISPOSING = 0.01;

/** A call with some arguments, one of which may be spoiled at one of `spots`. */
export function call(random, args, spots, rest, share = SPOILED) {
  const { disposes, optionsAt } = rest;
  if (disposes && random.chance(DISPOSING)) return disposing(random, args, optionsAt, rest);
  const spoiled = random.chance(share) ? spoil(random, args, spots) : undefined;
  return { given: args, args, ...rest, ...(spoiled && { spoiled, expect: spoiled.expect }) };
}

const FILLER = { layers: [{ type: 'linear', inFeatures: 16, outFeatures: 16 }] };

/** The call with an option whose getter disposes the twin, and has models made where it was. */
function disposing(random, args, optionsAt, rest) {
  const twin = rest.disposes;
  const given = args[optionsAt];
  const key = random.pick(Object.keys(given));
  const options = new Each((side) => {
    let fillers;
    const begin = () => {
      const owner = side.of(twin);
      const { engine } = owner.model ?? owner;
      owner.dispose();
      fillers = [1, 2, 3, 4].map((seed) => side.face.main.Model.create(engine, FILLER, { seed }));
      const before = fillers.map((model) => digest(parametersOf(side, model)));
      side.later.push(() => {
        const isSame = fillers.every((model, k) => digest(parametersOf(side, model)) === before[k]);
        for (const model of fillers) model.dispose();
        return isSame ? undefined : 'what took the place of something disposed was changed';
      });
    };
    return Object.defineProperty({ ...given }, key, {
      get() {
        if (!fillers) begin();
        return given[key];
      },
      enumerable: true,
    });
  });
  const changed = args.map((value, k) => (k === optionsAt ? options : value));
  return {
    ...rest,
    args: changed,
    expect: 'either',
    touches: [...(rest.touches ?? []), twin],
    loose: true,
    ends: twin,
    keep: undefined,
  };
}

const parametersOf = ({ face }, model) => {
  const { kernels, values } = face.storeOf(model);
  return kernels.floats(values);
};

/** An array for a function to write to, one for each build. */
export const out = (length) => new Outputs(length);

export const callKinds = [];

export function kind(name, weight, draw) {
  callKinds.push({ name, weight, draw });
}

/** A function that needs nothing of the world: arguments, and which of them may be spoiled. */
export function pure(name, weight, make, run) {
  kind(name, weight, (world, random) => {
    const { args, spots = [] } = make(random);
    return call(random, args, spots, { run });
  });
}

/** A place for outputs gone wrong. */
export const wrongOut = (length, orLonger) => (random) =>
  array(undefined, orLonger)(random, new Float32Array(length));

/** What an engine is, before it goes. */
export const lookAt = (engine) => {
  const { variant, maxBytes, bytes } = engine;
  engine.dispose();
  return { variant, maxBytes, bytes };
};
