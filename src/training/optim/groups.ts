import { checkKeys, checkNumber } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { rateOf } from './optimizer.ts';
import type { Range } from './optimizer.ts';
import type { Parameter } from '../../graph/layout.ts';

/** Parameters that train with a rate or a decay of their own. */
export interface ParameterGroup {
  /** Names as in `model.stateDict()`, or of layers, which stand for all of theirs. */
  readonly parameters: readonly string[];
  /**
   * Default that of the optimizer. Where the trainer's rate changes, this one changes by the same
   * factor. 0 freezes: parameters and moments stay as they are, their gradients count as zero, also
   * for clipping.
   */
  readonly learningRate?: number;
  /** PyTorch's name for `learningRate`. */
  readonly lr?: number;
  /** Default that of the optimizer. */
  readonly weightDecay?: number;
}

/** What is common to all parameters that are in no group. */
interface Common {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** Names of layers that an error lists. */
const NAMES_SHOWN = 8;

/** What stands before the last dot of a parameter's name. */
function layerOf({ name }: Parameter): string {
  return name.slice(0, name.lastIndexOf('.'));
}

function refuse(message: string): never {
  throw new GatefoldError('ERR_ARGUMENT', message);
}

/** The share of the learning rate and the decay of a group. */
function settingsOf(
  group: ParameterGroup,
  k: number,
  common: Common,
): Pick<Range, 'share' | 'weightDecay'> {
  const name = `groups[${k}]`;
  checkKeys(name, group, ['parameters', 'learningRate', 'lr', 'weightDecay']);
  const { parameters: names } = group;
  if (!Array.isArray(names) || !names.every((own) => typeof own === 'string')) {
    refuse(`"${name}.parameters" expected a list of names`);
  }
  const own = rateOf(name, group) ?? common.learningRate;
  const rate = checkNumber(`${name}.learningRate`, own, 0);
  const weightDecay = checkNumber(
    `${name}.weightDecay`,
    group.weightDecay ?? common.weightDecay,
    0,
  );
  if (rate > 0 && common.learningRate === 0) {
    refuse(`"${name}.learningRate" needs an "optimizer.learningRate" above 0`);
  }
  return { share: rate === 0 ? 0 : rate / common.learningRate, weightDecay };
}

/** Neighbours of the same rate and decay as one range of the flat vector, in its order. */
export function rangesOf(
  parameters: readonly Parameter[],
  groups: readonly ParameterGroup[],
  common: Common,
): Range[] {
  if (!Array.isArray(groups)) refuse('"groups" expected a list of groups');
  const settings = groups.map((group, k) => settingsOf(group, k, common));
  const layers = new Set(parameters.map(layerOf));
  const known = new Set([...layers, ...parameters.map(({ name }) => name)]);
  /** The groups that each name is in. */
  const named = new Map<string, Set<number>>();
  for (const [k, { parameters: names }] of groups.entries()) {
    for (const name of names) {
      if (!known.has(name)) {
        const some = [...layers].slice(0, NAMES_SHOWN).join(', ');
        refuse(
          `"groups[${k}].parameters" names ${JSON.stringify(name)}, which no parameter or layer is called; layers: ${some}`,
        );
      }
      named.set(name, (named.get(name) ?? new Set()).add(k));
    }
  }
  const ranges: Range[] = [];
  for (const parameter of parameters) {
    const names = [parameter.name, layerOf(parameter)];
    const found = names.flatMap((name) => [...(named.get(name) ?? [])]);
    const [group, other] = new Set(found.sort((a, b) => a - b));
    if (other !== undefined)
      refuse(`"groups" has ${parameter.name} twice, in groups ${group} and ${other}`);
    const { weightDecay, share: own } =
      group === undefined ? { share: 1, weightDecay: common.weightDecay } : settings[group]!;
    const share = parameter.isFixed ? 0 : own;
    const last = ranges.at(-1);
    const isSame = last && last.share === share && last.weightDecay === weightDecay;
    const { offset } = parameter;
    const length = offset + parameter.length - (isSame ? last.offset : offset);
    const range = { offset: isSame ? last.offset : offset, length, share, weightDecay };
    if (isSame) ranges[ranges.length - 1] = range;
    else ranges.push(range);
  }
  return ranges;
}
