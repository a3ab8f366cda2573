import type { Metadata } from '../../model/model.ts';
import { isRecord, own, recordOf, textOf } from './config.ts';
import type { Json } from './config.ts';

/** What a file says beside the model. */
export function metadataOf(
  format: string,
  version: string | undefined,
  training: unknown,
): Metadata {
  return {
    format,
    ...(version !== undefined && { version }),
    ...(isRecord(training) && { training: plain(training) }),
  } as Metadata;
}

const SHOWN = ['loss', 'metrics', 'loss_weights', 'weighted_metrics'];

/** Of a training configuration the loss, the metrics, and the optimizer with its numbers. */
function plain(training: Json): Json {
  const optimizer = recordOf(training, 'optimizer_config');
  const other = recordOf(training, 'optimizer');
  const used = Object.keys(optimizer).length ? optimizer : other;
  const numbers = Object.entries(recordOf(used, 'config')).filter(
    ([, value]) => typeof value !== 'object',
  );
  const name = textOf(used, 'class_name');
  const kept = SHOWN.flatMap((key): [string, unknown][] => {
    const value = own(training, key);
    const text = JSON.stringify(value) ?? '';
    const isSmall = typeof value !== 'object' || text.length < 1000;
    return (value ?? null) === null
      ? []
      : [[key, isSmall && depthOf(value) < 5 ? value : text.slice(0, 1000)]];
  });
  return {
    ...Object.fromEntries(kept),
    ...(name !== undefined && { optimizer: { name, ...Object.fromEntries(numbers) } }),
  };
}

function depthOf(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null || depth > 5) return depth;
  return Math.max(depth, ...Object.values(value).map((each) => depthOf(each, depth + 1)));
}
