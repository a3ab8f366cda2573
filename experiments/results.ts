/** Finished runs as files, one each, so that a stopped experiment goes on where it was. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../src/node/index.ts';
import type { Cell } from './cells.ts';
import type { Task } from './tasks/task.ts';
import { settingsOf } from './train.ts';
import type { Result } from './train.ts';

const fileOf = (folder: string, task: string, cell: Cell, seed: number): string =>
  join(folder, `${task}.${cell}.${seed}.json`);

/** A finished run, unless there is none or the settings have changed since. */
export async function readResult(
  folder: string,
  task: Task,
  cell: Cell,
  seed: number,
): Promise<Result | undefined> {
  let content: string;
  try {
    content = await readFile(fileOf(folder, task.id, cell, seed), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const result = JSON.parse(content) as Result;
  return result.settings === settingsOf(task, cell) ? result : undefined;
}

export async function writeResult(folder: string, result: Result): Promise<void> {
  await mkdir(folder, { recursive: true });
  const path = fileOf(folder, result.task, result.cell, result.seed);
  await writeWhole(path, new TextEncoder().encode(`${JSON.stringify(result)}\n`));
}
