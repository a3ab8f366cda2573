import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { modelCommands } from './models/commands.ts';
import { GatefoldError } from '../base/errors.ts';
import { STATUS_BAD_INPUT, STATUS_NOT_WRITTEN } from './failure.ts';
import { flow } from './flow.ts';
import type { FlowOptions } from './flow.ts';
import { info } from './info.ts';
import { decimal, seed, whole } from './options.ts';
import { drained, outputFault, warn, watchOutput } from './output.ts';
import { CELLS, MAXIMA, MAX_CLIP, MAX_LR } from './run.ts';
import { sample } from './sample.ts';
import type { SampleOptions } from './sample.ts';
import { DEFAULT_LR, DEFAULT_LR_OPEN, train } from './train.ts';
import type { TrainOptions } from './train.ts';

const TRAIN_EXAMPLES = `
Examples:
  $ gatefold train book.txt --hidden 256 --epochs 5 --out book.safetensors
  $ gatefold train notes.txt --epochs 100 --patience 5
  $ gatefold train book.txt --resume book.safetensors --epochs 10`;

const SAMPLE_EXAMPLES = `
Example:
  $ gatefold sample book.safetensors --prime "Once upon" --length 300 --temperature 0.8 --seed 7`;

const FLOW_EXAMPLES = `
Without texts it reads the project's own sources, where the models learned from those.

Examples:
  $ gatefold flow book.safetensors book.txt --steps 200 --out book-flow.svg
  $ gatefold flow lstm.safetensors rnn.safetensors book.txt --untrained`;

const LR_DEFAULTS = `(default: ${DEFAULT_LR}; ${DEFAULT_LR_OPEN} for peephole-cell)`;

/** Of the package, seen from `dist/cli.js`. */
function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** One line, whatever commander adds below it. */
function oneLine(text: string): string {
  return text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ');
}

function trainCommand(finish: (status: number) => void): Command {
  return new Command('train')
    .description('learn a character language model from text, and show what it learned')
    .argument('[FILE...]', "UTF-8 text files; the project's own sources where none is named")
    .addOption(
      new Option('--cell <name>', 'recurrent cell').choices(Object.keys(CELLS)).default('lstm'),
    )
    .option('--hidden <units>', 'hidden units of a layer', whole(1, MAXIMA.hidden), 128)
    .option('--layers <count>', 'recurrent layers on one another', whole(1, MAXIMA.layers), 1)
    .option(
      '--embedding <size>',
      'size of the embedding of a character',
      whole(1, MAXIMA.embedding),
      48,
    )
    .option('--steps <count>', 'characters of a window of BPTT', whole(1, MAXIMA.steps), 32)
    .option('--batch <rows>', 'rows of text learned at once', whole(1, MAXIMA.batch), 16)
    .option(
      '--epochs <count>',
      'passes over the text (default: by its length)',
      whole(1, MAXIMA.epochs),
    )
    .option(
      '--patience <epochs>',
      'end after so many without a better validation loss, and keep the best; 0 for never',
      whole(0, MAXIMA.patience),
      0,
    )
    .option(
      '--lr <rate>',
      `learning rate of Adam, falls to 0 ${LR_DEFAULTS}`,
      decimal(0, MAX_LR, false),
    )
    .option(
      '--clip <norm>',
      'limit of the gradient norm, 0 for none',
      decimal(0, MAX_CLIP, true),
      1,
    )
    .option('--seed <number>', 'seed of the initial weights', seed, 1)
    .option(
      '--out <path>',
      'where to save, after every epoch (default: gatefold-model.safetensors)',
    )
    .option('--resume <path>', 'go on with a saved run on the same FILEs, bit for bit')
    .addOption(
      new Option('--simd <variant>', 'deterministic: the same bits on every machine').choices([
        'auto',
        'deterministic',
      ]),
    )
    .addHelpText('after', TRAIN_EXAMPLES)
    .action(async (files: string[], options: Omit<TrainOptions, 'given'>, command: Command) => {
      const names = Object.keys(options);
      const given = names.filter((name) => command.getOptionValueSource(name) === 'cli');
      finish(await train(files, { ...options, given: new Set(given) }));
    });
}

function sampleCommand(finish: (status: number) => void): Command {
  return new Command('sample')
    .description('write text with a saved model')
    .argument('<MODEL>', 'a file that gatefold train saved')
    .option('--prime <text>', 'text to go on from', '')
    .option('--length <count>', 'characters to write', whole(0, 1e9), 500)
    .option('--temperature <number>', '0 takes the likeliest', decimal(0, 100, true), 0.8)
    .option('--seed <number>', 'the same seed writes the same text', seed, 1)
    .addHelpText('after', SAMPLE_EXAMPLES)
    .action(async (model: string, options: SampleOptions) => {
      finish(await sample(model, options));
    });
}

function flowCommand(finish: (status: number) => void): Command {
  return new Command('flow')
    .description('draw how far back errors reach in a saved model, and what its gates do')
    .argument('<MODEL...>', 'files that gatefold train saved, on one axis; then UTF-8 text to read')
    .option('--steps <count>', 'characters of a window', whole(2, MAXIMA.steps), 100)
    .option('--untrained', 'each model before its training, too')
    .option('--out <path>', 'where to save the pictures, an SVG file', 'flow.svg')
    .addHelpText('after', FLOW_EXAMPLES)
    .action(async (named: string[], options: FlowOptions) => {
      finish(await flow(named, options));
    });
}

function infoCommand(finish: (status: number) => void): Command {
  return new Command('info')
    .description('say what this host has, and measure what each of it brings')
    .action(async () => finish(await info()));
}

async function main(argv: readonly string[]): Promise<number> {
  let status = 0;
  const finish = (value: number): void => {
    status = value;
  };
  const program = new Command('gatefold')
    .description('recurrent networks that run and train on WebAssembly SIMD')
    .version(version())
    .addHelpText('after', '\nExample:\n  $ gatefold train book.txt')
    .addCommand(trainCommand(finish))
    .addCommand(sampleCommand(finish))
    .addCommand(flowCommand(finish))
    .addCommand(infoCommand(finish));
  for (const command of modelCommands(finish)) program.addCommand(command);
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .configureHelp({ minWidthToWrap: 20 })
      .configureOutput({ outputError: (text) => warn(oneLine(text)) });
  }
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      status = error.exitCode === 0 ? 0 : STATUS_BAD_INPUT;
    } else {
      if (!(error instanceof GatefoldError)) throw error;
      warn(error.message);
      status = STATUS_BAD_INPUT;
    }
  }
  // What has been said last may still fail.
  if (process.stdout.writableLength > 0) await drained();
  await new Promise(setImmediate);
  const fault = outputFault();
  // A reader that has seen enough, such as head, is no failure.
  if (!fault || fault.isClosed) return status;
  warn(`cannot write the output: ${fault.reason}`);
  return status || STATUS_NOT_WRITTEN;
}

watchOutput();
process.exitCode = await main(process.argv);
