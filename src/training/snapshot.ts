import type { Carry } from './tbptt.ts';
import {
  checkFloats,
  checkInteger,
  checkNumber,
  checkText,
  checkTokens,
  readOptions,
} from '../base/check.ts';
import { GatefoldError, shorten } from '../base/errors.ts';
import { sizeOf } from '../graph/layout.ts';
import { below, ownTensors } from '../graph/parameters.ts';
import type { Store } from '../graph/parameters.ts';
import type { Snapshot } from './options.ts';
import type { StateDict } from '../base/tensor.ts';
import type { Updater } from './optim/updater.ts';

/**
 * The format of files and snapshots that this version writes and reads. It rises with every change
 * that an older version would misread: 2 has other names of options in descriptions and says its
 * number, which 1 did not.
 */
export const FORMAT_NUMBER = '2';

/** What a trainer goes on from. */
export interface Kept {
  readonly store: Store;
  readonly updater: Updater;
  readonly carry: Carry;
  /** What it is created with that going on to the same bits needs, as JSON by name. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A copy of it, of `passes` passes of training so far. */
export function takeSnapshot(kept: Kept, passes: number, simd: string): Snapshot {
  const { store, updater, carry } = kept;
  const tensors: StateDict = new Map();
  for (const [prefix, vector] of updater.vectors) {
    for (const [name, tensor] of store.read(vector)) tensors.set(prefix + name, tensor);
  }
  for (const { name, shape, slot } of carry.arrays()) {
    const data = store.kernels.floats(slot, 0, sizeOf({ shape })).slice();
    tensors.set(name, { shape, data });
  }
  const metadata = {
    format: FORMAT_NUMBER,
    updates: String(updater.updates),
    passes: String(passes),
    learningRate: String(updater.rate),
    replay: String(carry.replay),
    started: String(Number(!carry.isFresh)),
    settings: JSON.stringify(kept.settings),
    simd,
  };
  return { tensors, metadata };
}

/**
 * Checks everything, and then puts it back.
 *
 * @param replayed the most steps that a window replays.
 * @returns the passes of training so far.
 */
export function restoreSnapshot(kept: Kept, snapshot: Snapshot, replayed: number): number {
  const { store, updater, carry } = kept;
  const given = readOptions('snapshot', snapshot, ['tensors', 'metadata']);
  const tensors = ownTensors(given.tensors);
  const metadata = { ...given.metadata };
  for (const [name, text] of Object.entries(metadata)) checkText(`metadata.${name}`, text);
  if (metadata.format !== FORMAT_NUMBER) {
    const message = `"snapshot" has format ${metadata.format ?? 1}, and this version reads format ${FORMAT_NUMBER}: go on with the version that took it`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  checkSettings(kept.settings, metadata.settings);
  const count = (name: string, most = Number.MAX_SAFE_INTEGER): number =>
    checkInteger(name, Number(metadata[name]), 0, most);
  const replay = count('replay', replayed);
  const updates = count('updates');
  const passes = count('passes');
  const rate = checkNumber('learningRate', Number(metadata.learningRate), 0);
  const vectors = updater.vectors.map(([prefix, slot]) => ({
    slot,
    checked: store.check(below(tensors, prefix)),
  }));
  const carried = carry.arrays().map(({ name, shape, slot, tokens }) => {
    const length = sizeOf({ shape });
    const data = checkFloats(name, tensors.get(name)?.data, length, `[${shape.join(', ')}]`);
    // Tokens are kept by their bits: what they would look up has to be there.
    if (tokens) checkTokens(name, bitsOf(data), length, tokens);
    return { slot, data };
  });
  store.checkAlive();
  for (const { slot, checked } of vectors) store.write(slot, checked);
  for (const { slot, data } of carried) store.kernels.floats(slot, 0, data.length).set(data);
  carry.replay = replay;
  // Snapshots of before there were learned states do not say: where there are none it is the same.
  carry.isFresh = metadata.started === '0';
  updater.updates = updates;
  updater.rate = rate;
  store.version++;
  return passes;
}

/**
 * Refuses the snapshot of a trainer that was created in another way; snapshots of before they said
 * how pass.
 */
function checkSettings(own: Kept['settings'], text: string | undefined): void {
  if (text === undefined) return;
  let taken: unknown;
  try {
    taken = JSON.parse(text);
  } catch {
    taken = undefined;
  }
  for (const [name, value] of Object.entries(own)) {
    const other = String((taken as Record<string, unknown> | null | undefined)?.[name]);
    if (other === value) continue;
    const message = `"snapshot" is of a trainer with ${name} ${shorten(other)}, and this one has ${shorten(value)}: create it with the same`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
}

/** The same elements as whole numbers. */
function bitsOf({ buffer, byteOffset, length }: Float32Array): Int32Array {
  return new Int32Array(buffer, byteOffset, length);
}
