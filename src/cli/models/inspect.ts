import { summary } from '../../model/summary.ts';
import { storeOf } from '../../model/model.ts';
import type { Model } from '../../model/model.ts';
import { createEngine } from '../engine.ts';
import { say } from '../output.ts';
import { openModel, readOptions } from './open.ts';
import type { WiringOptions } from './open.ts';
import type { OpenModel } from './open.ts';
import { productsOf } from './measure.ts';
import { inBytes, tableOf } from './table.ts';

export interface InspectOptions extends WiringOptions {
  readonly json?: boolean;
  readonly svg?: boolean;
}

/** The command `gatefold inspect`; gives the exit status. */
export async function inspect(path: string, options: InspectOptions): Promise<number> {
  const opened = await openModel(path, await readOptions(options));
  const { unwired } = opened;
  if (unwired && !options.svg) {
    const { modules, proposal, problem, skipped } = unwired;
    if (options.json)
      say(`${JSON.stringify({ format: opened.format, modules, proposal, problem })}\n`);
    else {
      say(`${headOf(opened)}\n\n`);
      const rows = modules.map(({ name, layer, shapes }) => {
        const shape = Object.values(shapes)
          .map((sizes) => `[${sizes.join(', ')}]`)
          .join(' ');
        return [name, layer?.type ?? 'unknown', shape];
      });
      say(`${tableOf(['module', 'layer', 'shapes'], rows)}\n\n`);
      if (skipped.length > 0) say(`left out: ${skipped.map(({ name }) => name).join(', ')}\n`);
      say('A file of tensors names no wiring. ');
      if (proposal) {
        say('From the order of its modules this may be it:\n\n');
        say(`${JSON.stringify(proposal, null, 2)}\n\n`);
        say('Check it against forward() of the module: activations (a relu between two matrices ');
        say('is a guess), the last step or all of them. ');
        say('Save it as a file, and name that by --description.\n');
      } else say(`Describe it in a file for --description: ${problem ?? 'it has no modules'}.\n`);
    }
    return 0;
  }
  const engine = await createEngine('auto');
  try {
    const model = opened.load(engine);
    const { description, metadata } = model;
    if (options.json) {
      say(`${JSON.stringify({ format: opened.format, description, metadata }, null, 2)}\n`);
    } else if (options.svg) say(`${summary(model, { svg: true })}\n`);
    else {
      say(`${headOf(opened)}\n\n${summary(model)}\n${costOf(model)}\n`);
      const known = Object.entries(metadata);
      if (known.length > 0) say(`\n${known.map(toldOf).join('\n')}\n`);
      const carry = Object.entries((metadata['proposedCarry'] ?? {}) as Record<string, string>);
      const pairs = carry.map(([output, input]) => `${output}=${input}`);
      if (pairs.length > 0) say(`\nto go on with its states: --carry ${pairs.join(',')}\n`);
    }
    return 0;
  } finally {
    engine.dispose();
  }
}

const LONGEST = 60;

function toldOf([key, value]: [string, unknown]): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `${key}: ${text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text}`;
}

function headOf({ path, format, bytes }: OpenModel): string {
  return `${path}: ${format}, ${inBytes(bytes)}`;
}

/** What a step costs: every element of a matrix is multiplied and added once. */
function costOf(model: Model): string {
  const bytes = storeOf(model)
    .parameters.map(({ shape }) => 4 * shape.reduce((all, size) => all * size, 1))
    .reduce((sum, size) => sum + size, 0);
  const products = productsOf(model).toLocaleString('en');
  return `a step: ${products} multiply-adds, ${inBytes(bytes)} of weights as float32`;
}
