/** Comments fit beside the code: at most 100 columns. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const MAX_COLUMNS = 100;

test.each(['assembly', 'src', 'build', 'examples', 'experiments'])(
  `comments of %s have lines of at most ${MAX_COLUMNS} columns`,
  (folder) => {
    const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter(
      (name) => /\.(ts|mjs)$/.test(name) && !/\b(gen|generated|out|node_modules)\b/.test(name),
    );
    expect(files.length).toBeGreaterThan(5);
    const long = files.flatMap((file) =>
      readFileSync(join(root, folder, file), 'utf8')
        .split('\n')
        .flatMap((line, k) => {
          const isLong = /^\s*(\/\/|\*|\/\*)/.test(line) && [...line].length > MAX_COLUMNS;
          return isLong ? [`${file}:${k + 1}`] : [];
        }),
    );
    expect(long).toEqual([]);
  },
);
