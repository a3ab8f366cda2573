import { once } from 'node:events';
import { say, drained, outputFault } from '../output.ts';
import { createEngine } from '../engine.ts';
import { fail } from '../failure.ts';
import type { Model } from '../../model/model.ts';
import { readArrays, writeArrays } from './arrays.ts';
import type { NumberArray } from './files.ts';
import { callModel } from './call.ts';
import { openModel, readOptions } from './open.ts';
import type { WiringOptions } from './open.ts';

export interface RunOptions extends WiringOptions {
  readonly inputs?: string;
  readonly outputs?: string;
  readonly stream?: boolean;
}

/** Numbers to show of an output where nobody says where it goes. */
const SHOWN = 8;

/** The command `gatefold run`; gives the exit status. */
export async function run(path: string, options: RunOptions): Promise<number> {
  const { inputs, outputs, stream } = options;
  if (!inputs === !stream) fail('name what to run by --inputs FILE, or ask for --stream');
  const opened = await openModel(path, await readOptions(options));
  const engine = await createEngine('auto');
  try {
    const model = opened.load(engine);
    if (stream) {
      await streamFrames(model);
      return 0;
    }
    const given = await readArrays(inputs!);
    const results = callModel(model, given.arrays);
    if (outputs === undefined) for (const [name, array] of results) say(shownOf(name, array));
    else {
      const { sampleRate = model.metadata['sampleRate'] as number | undefined } = given;
      await writeArrays(outputs, results, sampleRate);
    }
    return 0;
  } finally {
    engine.dispose();
  }
}

function shownOf(name: string, { shape, data }: NumberArray): string {
  const numbers = Array.from(data).slice(0, SHOWN);
  const more = data.length > SHOWN ? ', …' : '';
  return `${name} [${shape.join(', ')}]: ${numbers.map((value) => value.toPrecision(6)).join(', ')}${more}\n`;
}

/** Raw float32 frames from the standard input to the standard output, as they come. */
async function streamFrames(model: Model): Promise<void> {
  const { inputs, outputs } = model;
  if (inputs.length > 1 || outputs.length > 1 || model.takesTokens) {
    fail('--stream takes a model of one input of features and one output');
  }
  const stream = model.stream();
  const width = 4 * model.inputSize;
  const frames: Uint8Array[] = [];
  let waiting = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    frames.push(chunk);
    waiting += chunk.length;
    const steps = Math.floor(waiting / width);
    if (steps === 0) continue;
    const all = Buffer.concat(frames);
    const x = new Float32Array(steps * model.inputSize);
    new Uint8Array(x.buffer).set(all.subarray(0, steps * width));
    frames.splice(0, frames.length, all.subarray(steps * width));
    waiting -= steps * width;
    const out = new Float32Array(steps * model.outputSize);
    stream.run(x, out, steps);
    if (outputFault()) return;
    if (!process.stdout.write(new Uint8Array(out.buffer))) await drained();
  }
  if (waiting > 0) {
    fail(`the standard input ends within a frame: it takes frames of ${model.inputSize} float32`);
  }
  if (process.stdout.writableLength > 0) await once(process.stdout, 'drain');
}
