import { Command, InvalidArgumentError, Option } from 'commander';
import { decimal, whole } from '../options.ts';
import { check } from './check.ts';
import type { CheckOptions } from './check.ts';
import { TARGETS, convert } from './convert.ts';
import type { ConvertOptions } from './convert.ts';
import { inspect } from './inspect.ts';
import type { InspectOptions } from './inspect.ts';
import { measure } from './measure.ts';
import type { MeasureOptions } from './measure.ts';
import { run } from './run.ts';
import type { RunOptions } from './run.ts';
import { FORMATS } from '../score/results.ts';
import { score } from '../score/score.ts';
import type { ScoreCommandOptions } from '../score/score.ts';

const MODEL = 'a model file of any format, or its folder';

/** A command for one model, with the option that all of them have. */
function commandOf(name: string, about: string, argument: string, examples: string): Command {
  return new Command(name)
    .description(about)
    .argument(argument, MODEL)
    .option(
      '--description <file>',
      'how the tensors are wired, as JSON, where the file has no wiring',
    )
    .option('--dims <sizes>', 'of named axes of an ONNX file, such as batch=1,time=512')
    .option('--set <values>', 'of inputs of an ONNX file that stay the same, such as sr=16000')
    .option(
      '--carry <states>',
      'outputs of an ONNX file that are inputs of the next call, such as stateN=state',
    )
    .addHelpText('after', `\nExample:\n${examples.replace(/^/gm, '  $ ')}`);
}

/** Parser of `--shard`. */
function shard(text: string): { index: number; count: number } {
  const [index, count, ...more] = text.split('/').map(Number);
  const isPart = more.length === 0 && Number.isInteger(index) && Number.isInteger(count);
  if (isPart && index! >= 0 && index! < count!) return { index: index!, count: count! };
  throw new InvalidArgumentError('It takes a part and their number, from 0/4 to 3/4.');
}

/** Commands for model files, those of other frameworks too. */
export function modelCommands(finish: (status: number) => void): Command[] {
  return [
    commandOf(
      'inspect',
      'show the layers of a model file, its shapes and what a step costs',
      '<MODEL>',
      'gatefold inspect model.h5\ngatefold inspect model.keras --svg > model.svg',
    )
      .option('--json', 'the description as JSON')
      .option('--svg', 'the graph as a picture')
      .action(async (model: string, options: InspectOptions) => {
        finish(await inspect(model, options));
      }),
    commandOf(
      'run',
      'run a model over arrays or sound',
      '<MODEL>',
      'gatefold run model.h5 --inputs windows.npz --outputs scores.npz\ngatefold run amplifier.json --inputs dry.wav --outputs wet.wav',
    )
      .option(
        '--inputs <file>',
        '.npz, .npy, .json, .csv or .wav: by the names of the inputs, x for the only one; lengths, h0, c0',
      )
      .option('--outputs <file>', 'where to write the outputs, in the format that its name says')
      .option('--stream', 'raw float32 frames from the standard input to the standard output')
      .action(async (model: string, options: RunOptions) => {
        finish(await run(model, options));
      }),
    commandOf(
      'score',
      'run a model over many sequences, on all cores; one that was stopped goes on',
      '<MODEL>',
      'gatefold score model.h5 sequences.ndjson --out scores.ndjson\ncat sequences.ndjson | gatefold score model.h5 - --out - > scores.ndjson',
    )
      .argument(
        '<IN...>',
        '.ndjson, .csv, .npy, .npz, .parquet or .wav files, folders of .wav files, or -',
      )
      .requiredOption('--out <file>', '.ndjson, .csv, .npy or .npz, or - for the standard output')
      .addOption(new Option('--from <format>', 'default: by the input').choices(['ndjson', 'csv']))
      .addOption(new Option('--to <format>', 'default: by the end of OUT').choices(FORMATS))
      .option(
        '--columns <names>',
        'fields, columns or the array of the input, separated by commas (default: guessed)',
        (text: string) => text.split(','),
      )
      .option('--id <name>', 'field or column of the id of a record (default: guessed)')
      .option('--skip-bad', 'report bad records and go on, rather than end')
      .option('--shard <i/n>', 'score part i, from 0, of n', shard)
      .option('--workers <count>', 'threads (default: one a core)', whole(1, 1024))
      .option('--batch <rows>', 'sequences at once', whole(1, 4096), 32)
      .option('--chunk <bytes>', 'input that a thread takes at once', whole(1, 2 ** 28), 2 ** 22)
      .option('--keep <seconds>', 'how often progress is kept', decimal(0, 3600, true), 1)
      .addOption(
        new Option('--simd <variant>', 'deterministic: the same bits on every machine')
          .choices(['auto', 'deterministic'])
          .default('auto'),
      )
      .action(async (model: string, inputs: string[], options: ScoreCommandOptions) => {
        finish(await score(model, inputs, options));
      }),
    commandOf(
      'convert',
      'write a model in another format',
      '<MODEL>',
      'gatefold convert model.h5 model.safetensors\ngatefold convert model.keras small.safetensors --quantize int8',
    )
      .argument('<OUT>', 'the file to write, or the folder of a TensorFlow.js model')
      .addOption(new Option('--to <format>', 'default: by the end of OUT').choices(TARGETS))
      .addOption(new Option('--quantize <bits>', 'weights of 8 bits').choices(['int8']))
      .action(async (from: string, to: string, options: ConvertOptions) => {
        finish(await convert(from, to, options));
      }),
    commandOf(
      'check',
      'compare outputs with those that are expected: of a model, or of all in a folder',
      '<MODEL>',
      'gatefold check model.h5 --against inputs.npz outputs.npz\ngatefold check models/',
    )
      .option('--against <files...>', 'two files of arrays: inputs, and the outputs to expect')
      .option(
        '--tolerance <number>',
        'of differences, absolute plus relative',
        decimal(0, 1, true),
        2e-5,
      )
      .action(async (model: string, options: CheckOptions) => {
        finish(await check(model, options));
      }),
    commandOf(
      'bench',
      'time a model: a step, sequences, share of the peak, memory',
      '<MODEL>',
      'gatefold bench model.h5 --steps 100 --batch 32',
    )
      .option('--steps <count>', 'of a sequence', whole(1, 100_000), 100)
      .option('--batch <rows>', 'sequences at once', whole(1, 4096), 32)
      .action(async (model: string, options: MeasureOptions) => {
        finish(await measure(model, options));
      }),
  ];
}
