import { callKinds } from './calls/index.mjs';
import { Random } from './random.mjs';
import { Each, Outputs, replaced } from './spoil.mjs';
import { World, digest } from './world.mjs';

/** Calls of an episode, which begins with nothing and whose calls depend on its number alone. */
export const LENGTH = 200;
export const MAX_BYTES = 24 * 2 ** 20;

const CODES = [
  'ERR_ARGUMENT',
  'ERR_SHAPE',
  'ERR_MEMORY',
  'ERR_DISPOSED',
  'ERR_FORMAT',
  'ERR_NON_FINITE',
  'ERR_UNSUPPORTED',
  'ERR_STATE',
];

const total = callKinds.reduce((sum, { weight }) => sum + weight, 0);

function pickKind(random) {
  let at = random.next() * total;
  return callKinds.find(({ weight }) => (at -= weight) < 0) ?? callKinds[0];
}

/** The next call: which function, with which arguments, and what has to come of it. */
function draw(world, random) {
  for (;;) {
    const kind = pickKind(random);
    const call = kind.draw(world, random);
    if (call) return { name: kind.name, expect: 'ok', touches: [], ...call };
  }
}

/** What a build makes of a call. */
async function attempt(world, call, index) {
  const later = [];
  const side = { ...sideOf(world.faces, index), later };
  const own = (value) => (value instanceof Each ? value.make(side) : value);
  const { args = [], spoiled } = call;
  const drawn = spoiled ? replaced(args, spoiled.path, own(spoiled.value)) : args;
  const given = drawn.map(own);
  try {
    return { value: await call.run(side, ...given), later };
  } catch (error) {
    const isWritten = drawn.some(
      (arg, k) => arg instanceof Outputs && Outputs.areChanged(given[k]),
    );
    if (isWritten) later.push(() => 'the refused call wrote outputs');
    return { error, later };
  }
}

const describe = ({ error, value }) =>
  error === undefined
    ? `gave ${typeof value === 'object' ? (value?.constructor?.name ?? 'object') : String(value)}`
    : `threw ${error?.code ?? error?.constructor?.name}: ${String(error?.message).slice(0, 160)}`;

/** What is wrong with the outcome of a call, or nothing; what it changed is looked at apart. */
function judge(world, call, [guarded, plain], givenBefore) {
  const { watch, main, kernelsOf, zonesOf } = world.faces[0];
  if (watch.fault) return watch.fault;
  const { error } = guarded;
  if (error !== undefined && !(error instanceof main.GatefoldError && CODES.includes(error.code))) {
    return describe(guarded);
  }
  for (const { sides } of world.all.engine) {
    zonesOf(kernelsOf(sides[0]).arena.memory).check('the call');
    if (sides[0].bytes > sides[0].maxBytes) return `the engine has ${sides[0].bytes} bytes`;
  }
  const { expect } = call;
  const allowed = error !== undefined && call.may === error.code;
  if (expect === 'ok' && error !== undefined && !allowed) return `valid, but ${describe(guarded)}`;
  if (expect === 'bad' && error === undefined) return `invalid, but ${describe(guarded)}`;
  const codeOf = (outcome) => outcome.error?.code ?? outcome.error?.constructor?.name;
  if (codeOf(guarded) !== codeOf(plain))
    return `guarded ${describe(guarded)}, plain ${describe(plain)}`;
  if (error === undefined && digest(guarded.value) !== digest(plain.value)) {
    return `other bits in the plain build than in the guarded one`;
  }
  if (digest(call.given ?? []) !== givenBefore) return 'the call changed what it was given';
  return [...guarded.later, ...plain.later]
    .map((look) => look())
    .find((problem) => problem !== undefined);
}

/** What parameters, states and moments were when they were last looked at. */
class Looks {
  #seen = new Map();
  #touched = new Set();

  /** These twins, and what lives of them, may have changed. */
  forgive(twins) {
    for (const twin of twins) this.#touched.add(twin);
  }

  /** Says which twin is not as it was, though nothing that may change it was called. */
  compare(world) {
    const now = world.observe();
    const isFree = (twin) => this.#touched.has(twin) || this.#touched.has(twin.model);
    const changed = [...now].find(
      ([twin, hash]) => this.#seen.has(twin) && this.#seen.get(twin) !== hash && !isFree(twin),
    );
    this.#seen = now;
    this.#touched.clear();
    return changed && `a ${changed[0].kind} changed that should not`;
  }
}

const sideOf = (faces, index) => ({ face: faces[index], index, of: (twin) => twin.sides[index] });

/**
 * Runs an episode, or of it calls `first` to `last`, or those that `only` names.
 *
 * @returns the failure that ended it, if any.
 */
export async function runEpisode(faces, number, { first = 0, last = LENGTH, only, tell }) {
  const { watch } = faces[0];
  watch.fault = undefined;
  const world = new World(faces);
  const start = new Random(number, 1e6);
  const simd = start.chance(0.8) ? 'deterministic' : 'auto';
  const engines = faces.map(({ core, main }) => {
    const module = moduleOf(main, simd);
    return core.Engine.createSync({ module, maxBytes: MAX_BYTES });
  });
  world.keep('engine', engines);
  const looks = new Looks();
  const calls = [];
  /** The failure as it is reported, found at call `index`. */
  const failure = (index, call, problem) => ({ number, index, name: call.name, problem, calls });
  for (let index = 0; index < last; index++) {
    if (only && !only.has(index)) continue;
    const call = draw(world, new Random(number, index));
    const { name, expect, spoiled } = call;
    calls.push({ index, name, expect, spoiled });
    let problem;
    let reached = 0;
    try {
      for (const k of call.prepare ? [0, 1] : []) await call.prepare(sideOf(faces, k));
      if (call.prepare) looks.forgive(call.touches);
      // Whether a valid call changed what it should not shows when the next one is looked at.
      const isLookedAt = call.expect !== 'ok';
      if (isLookedAt) problem = looks.compare(world);
      const givenBefore = digest(call.given ?? []);
      const calledBefore = watch.calls;
      const outcomes = [await attempt(world, call, 0)];
      reached = watch.calls - calledBefore;
      outcomes.push(await attempt(world, call, 1));
      if (call.ends) world.drop(call.ends);
      problem ??= judge(world, call, outcomes, givenBefore);
      const [{ error }] = outcomes;
      if (error === undefined || error.code === call.may || call.loose) looks.forgive(call.touches);
      if (isLookedAt) problem ??= looks.compare(world);
      if (problem === undefined && error === undefined) {
        call.keep?.(outcomes.map(({ value }) => value));
      }
    } catch (error) {
      problem = watch.fault ?? `the campaign itself: ${error.stack}`;
    }
    if (index >= first) tell?.(call, reached);
    if (problem !== undefined) return failure(index, call, problem);
  }
  const end = { name: 'the end' };
  try {
    const problem = looks.compare(world);
    if (problem !== undefined) return failure(last - 1, end, problem);
    const seen = [0, 1].map((side) => digest([...world.observe(side).values()]));
    if (seen[0] !== seen[1]) return failure(last - 1, end, 'the plain build ends in other states');
    world.dropAll();
    const { zonesOf, kernelsOf } = faces[0];
    const { blocks } = zonesOf(kernelsOf(engines[0]).arena.memory);
    if (blocks) return failure(last - 1, end, `${blocks} blocks were not given back`);
  } catch (error) {
    return failure(last - 1, end, watch.fault ?? `the campaign itself: ${error.stack}`);
  }
  return undefined;
}

const modules = new Map();

/** The kernels compiled once for all engines of a build, so that they get fast. */
function moduleOf(main, simd) {
  const known = modules.get(simd);
  if (known) return known;
  const module = new WebAssembly.Module(main.wasmBytes({ simd }));
  modules.set(simd, module);
  return module;
}
