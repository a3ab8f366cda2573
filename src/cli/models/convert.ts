import { mkdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { writeRtneural } from '../../formats/audio.ts';
import { saveModel } from '../../formats/gatefold.ts';
import { writeTfjs } from '../../formats/tfjs.ts';
import type { Model } from '../../model/model.ts';
import { writeWhole } from '../../node/files.ts';
import { createEngine } from '../engine.ts';
import { fail } from '../failure.ts';
import { say } from '../output.ts';
import { openModel, readOptions } from './open.ts';
import type { WiringOptions } from './open.ts';
import { inBytes } from './table.ts';

export const TARGETS = ['gatefold', 'tfjs', 'rtneural'] as const;
type Target = (typeof TARGETS)[number];

export interface ConvertOptions extends WiringOptions {
  readonly to?: Target;
  readonly quantize?: 'int8';
}

/** The format that a name asks for. */
function targetOf(path: string): Target {
  const end = extname(path).toLowerCase();
  if (end === '.safetensors') return 'gatefold';
  if (end === '.json') return 'rtneural';
  if (end === '') return 'tfjs';
  return fail(`name the format by --to ${TARGETS.join(', ')}, or end ${path} in .safetensors`);
}

/** The command `gatefold convert`; gives the exit status. */
export async function convert(from: string, to: string, options: ConvertOptions): Promise<number> {
  const target = options.to ?? targetOf(to);
  const opened = await openModel(from, await readOptions(options));
  const engine = await createEngine('deterministic');
  try {
    const read = opened.load(engine);
    const model = options.quantize ? read.quantize() : read;
    const files = filesOf(model, target, to);
    if (target === 'tfjs') await mkdir(to, { recursive: true });
    let bytes = 0;
    for (const [path, content] of files) {
      await writeWhole(path, content);
      bytes += content.length;
    }
    say(`${to}: ${target}, ${inBytes(bytes)}, from ${opened.format}, ${inBytes(opened.bytes)}\n`);
    return 0;
  } finally {
    engine.dispose();
  }
}

function filesOf(model: Model, target: Target, to: string): [string, Uint8Array][] {
  if (target === 'rtneural') return [[to, writeRtneural(model)]];
  if (target === 'gatefold') return [[to, saveModel(model)]];
  return Object.entries(writeTfjs(model)).map(([name, bytes]) => [join(to, name), bytes]);
}
