/** A hundred kills of each kind at random moments, over scoring and over training. */

import { appendFileSync } from 'node:fs';
import { seededRandom } from 'gatefold/node';
import { expect, it } from 'vitest';
import { absence, campaign } from './support/campaign.ts';

const seed = Number(process.env.GATEFOLD_SEED ?? Date.now()) % 2 ** 31;
const count = Number(process.env.GATEFOLD_KILLS ?? 100);
const file = process.env.GATEFOLD_KILLS_LOG;

it.each(['score', 'train'] as const)('%s goes on to the same bytes', async (task) => {
  const log = (text: string): void => {
    console.log(text);
    if (file) appendFileSync(file, `${task} ${text}\n`);
  };
  log(`seed ${seed}`);
  const victims = ['worker', 'producer', 'redis'] as const;
  const { kills, runs } = await campaign(task, victims, count, seededRandom(seed), log);
  log(`${kills.length} kills over ${runs} runs`);
  for (const victim of victims) {
    expect(kills.filter((kill) => kill.victim === victim)).toHaveLength(count);
  }
  for (const { inWork } of kills) expect(inWork.length).toBeGreaterThan(0);
});

it.each(['score', 'train'] as const)(
  '%s waits for a Redis that is away for a minute',
  async (task) => {
    expect((await absence(task, 60_000)).length).toBeGreaterThan(0);
  },
);
