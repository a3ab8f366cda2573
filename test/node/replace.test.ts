/**
 * What `writeWhole` leaves behind: the old file or the new one, its permissions, its links, and
 * nothing of processes that were killed.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readWhole, writeWhole } from '../../src/node/files.ts';
import { fullDevice } from '../support/device.ts';

const ENTRY = pathToFileURL(fileURLToPath(new URL('../../dist/node.js', import.meta.url))).href;
const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === 'linux';
const [OLD, NEW] = ['an old file', 'the new file'].map((text) => new TextEncoder().encode(text));

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'gatefold-write-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const text = (name: string): string => readFileSync(at(name), 'utf8');
const left = (): string[] => readdirSync(folder).sort();
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => expect.fail('nothing was refused'),
    (error: Error) => error,
  );

/** Runs a script on the built package, in a process of its own. */
function run(script: string): { status: number | null; stdout: string; stderr: string } {
  const source = `import { writeWhole } from ${JSON.stringify(ENTRY)};\n${script}`;
  const args = ['--input-type=module', '-e', source];
  return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
}

describe('a file that is replaced', () => {
  it('keeps its permissions; a new one has those of the umask', async () => {
    const old = process.umask(0o027);
    try {
      await writeWhole(at('fresh'), NEW!);
      for (const mode of [0o600, 0o664, 0o640, 0o755]) {
        writeFileSync(at('kept'), OLD!);
        chmodSync(at('kept'), mode);
        await writeWhole(at('kept'), NEW!);
        expect(statSync(at('kept')).mode & 0o7777).toBe(mode);
        expect(text('kept')).toBe('the new file');
      }
    } finally {
      process.umask(old);
    }
    expect(statSync(at('fresh')).mode & 0o777).toBe(0o640);
  });

  it.runIf(isRoot)('keeps its owner, where root writes', async () => {
    writeFileSync(at('owned'), OLD!);
    spawnSync('chown', ['1234:2345', at('owned')]);
    await writeWhole(at('owned'), NEW!);
    const { uid, gid } = statSync(at('owned'));
    expect([uid, gid]).toEqual([1234, 2345]);
  });

  it.skipIf(isRoot)('is refused where it may not be written', async () => {
    writeFileSync(at('sealed'), OLD!, { mode: 0o444 });
    expect(await failure(writeWhole(at('sealed'), NEW!))).toMatchObject({ code: 'EACCES' });
    expect(text('sealed')).toBe('an old file');
  });

  it('is found through links, of links, to folders, and of files that are not there yet', async () => {
    mkdirSync(at('deep/er'), { recursive: true });
    writeFileSync(at('deep/file'), OLD!);
    symlinkSync('deep/er', at('folder'));
    // From deep/er, not from the folder that the link is in.
    symlinkSync('../file', at('deep/er/up'));
    symlinkSync('folder/up', at('link'));
    symlinkSync(at('link'), at('linked'));
    symlinkSync('folder/../born', at('unborn'));
    await writeWhole(at('linked'), NEW!);
    await writeWhole(at('unborn'), NEW!);
    expect(text('deep/file')).toBe('the new file');
    expect(text('deep/born')).toBe('the new file');
    expect(left()).toEqual(['deep', 'folder', 'link', 'linked', 'unborn']);
    for (const name of ['link', 'linked', 'unborn']) {
      expect(lstatSync(at(name)).isSymbolicLink()).toBe(true);
    }
  });

  it('ends where links go round in a circle', async () => {
    symlinkSync('b', at('a'));
    symlinkSync('a', at('b'));
    expect(await failure(writeWhole(at('a'), NEW!))).toMatchObject({ code: 'ELOOP' });
  });

  it('may have the longest name that there is, in any script', async () => {
    for (const name of ['n'.repeat(255), 'ü'.repeat(127), '界'.repeat(85), '😀'.repeat(63)]) {
      for (const bytes of [OLD!, NEW!]) await writeWhole(at(name), bytes);
      expect(text(name)).toBe('the new file');
    }
    expect(left()).toHaveLength(4);
    const { code } = (await failure(writeWhole(at('n'.repeat(256)), NEW!))) as { code?: string };
    expect(code).toBe('ENAMETOOLONG');
  });

  it('stays as it is where the new one cannot be written whole', async () => {
    writeFileSync(at('whole'), OLD!);
    const blocks = '\'ulimit -f 8; exec "$0" "$@"\'';
    const script = `import { writeWhole } from ${JSON.stringify(ENTRY)};
      const error = await writeWhole('whole', new Uint8Array(1e6)).catch((reason) => reason);
      console.log(error.code);`;
    const command = `sh -c ${blocks} "${process.execPath}" --input-type=module -`;
    const { stdout } = spawnSync(command, { cwd: folder, shell: true, input: script });
    expect(String(stdout)).toBe('EFBIG\n');
    expect(text('whole')).toBe('an old file');
    expect(left()).toEqual(['whole']);
    expect(await failure(writeWhole(at('no/where'), NEW!))).toMatchObject({ code: 'ENOENT' });
    expect(await failure(writeWhole(folder, NEW!))).toMatchObject({ code: 'EISDIR' });
    expect(left()).toEqual(['whole']);
  });

  it.runIf(isLinux && isRoot)(
    'stays as it is where the disk is full, skipped where none may be mounted',
    async (context) => {
      mkdirSync(at('disk'));
      const mount = ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', at('disk')];
      if (spawnSync('mount', mount).status !== 0) return context.skip();
      try {
        await writeWhole(at('disk/whole'), OLD!);
        const error = await failure(writeWhole(at('disk/whole'), new Uint8Array(1e6)));
        expect(error).toMatchObject({ code: 'ENOSPC' });
        expect(text('disk/whole')).toBe('an old file');
        expect(readdirSync(at('disk'))).toEqual(['whole']);
      } finally {
        spawnSync('umount', [at('disk')]);
      }
    },
  );
});

describe('what is no file', () => {
  it.runIf(isLinux)('is neither replaced nor read', async () => {
    spawnSync('mkfifo', [at('pipe')]);
    const full = fullDevice(folder);
    symlinkSync(full, at('link'));
    const before = left();
    for (const [path, kind] of [
      [full, 'a device'],
      [at('link'), 'a device'],
      [at('pipe'), 'a pipe'],
    ] as const) {
      const { message } = await failure(writeWhole(path, NEW!));
      expect(message).toBe(
        `"path" expected a file to replace, and ${path} is ${kind}: name a file`,
      );
    }
    expect(statSync(full).isCharacterDevice()).toBe(true);
    expect(left()).toEqual(before);
    expect((await failure(readWhole('/dev/zero'))).message).toBe(
      '"path" expected a file, and /dev/zero is a device',
    );
    spawn('sh', ['-c', 'printf "through a pipe" > pipe'], { cwd: folder });
    expect(new TextDecoder().decode(await readWhole(at('pipe')))).toBe('through a pipe');
    expect(new TextDecoder().decode(await readWhole('/proc/self/cmdline'))).toContain('node');
  });
});

describe('what killed processes left', () => {
  /** Kills a process in the middle of writing, and gives the name of the part that it leaves. */
  async function leave(name: string): Promise<string> {
    const before = new Set(left());
    const source = `import { writeWhole } from ${JSON.stringify(ENTRY)};
      console.log('begun');
      for (;;) await writeWhole(${JSON.stringify(name)}, new Uint8Array(2 ** 24));`;
    const args = ['--input-type=module', '-e', source];
    for (let afterMs = 5; ; afterMs += 3) {
      const child = spawn(process.execPath, args, { cwd: folder });
      const ended = new Promise((resolve) => child.once('close', resolve));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill('SIGKILL');
      await ended;
      const part = left().find((other) => other.endsWith('.part') && !before.has(other));
      if (part !== undefined) return part;
      expect(afterMs).toBeLessThan(200);
    }
  }

  it('is removed by the next that writes the same file, and nothing else', async () => {
    const part = await leave('model');
    const [, host, , start] = /\.([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}\.part$/.exec(part)!;
    const names = {
      // Another file's, one of another host, one of a process that lives, one that is no part.
      other: part.replace('model', 'model.old'),
      foreign: part.replace(host!, '0'.repeat(8)),
      living: part.replace(/-\d+-\d+-/, `-${process.ppid}-0-`),
      mine: 'model.part',
    };
    for (const name of Object.values(names)) writeFileSync(at(name), '');
    // One of a process of the same number that began at another time, and an old one of a host.
    const again = part.replace(/-\d+-\d+-/, `-${process.pid}-${Number(start) + 1}-`);
    const old = part.replace(host!, '1'.repeat(8));
    for (const name of [again, old]) writeFileSync(at(name), '');
    utimesSync(at(old), 1, 1);
    await writeWhole(at('model'), NEW!);
    expect(left()).toEqual(['model', ...Object.values(names), ...(isLinux ? [] : [again])].sort());
  });

  it('is removed under a long name too', async () => {
    const name = `${'ü'.repeat(100)}.safetensors`;
    await leave(name);
    await writeWhole(at(name), NEW!);
    expect(left()).toEqual([name]);
  });

  it('does not keep a process from writing whose part is taken away', () => {
    const { stdout, stderr } = run(`
      import fs from 'node:fs/promises';
      import { rmSync, readdirSync } from 'node:fs';
      const timer = setInterval(() => {
        for (const name of readdirSync('.')) if (name.endsWith('.part')) { rmSync(name); clearInterval(timer); }
      }, 0);
      await writeWhole('model', new Uint8Array(2 ** 25));
      clearInterval(timer);
      console.log((await fs.stat('model')).size);`);
    expect(stderr).toBe('');
    expect(stdout).toBe(`${2 ** 25}\n`);
    expect(left()).toEqual(['model']);
    expect(existsSync(at('model'))).toBe(true);
  });
});

it.runIf(isLinux && spawnSync('strace', ['-V']).status === 0)(
  'the file and its folder are on the disk before it is done',
  () => {
    const script = `import { writeWhole } from ${JSON.stringify(ENTRY)};
      await writeWhole('model', new Uint8Array(10));`;
    const args = ['-f', '-y', '-e', 'trace=fsync,fdatasync,rename,renameat,renameat2'];
    const command = [process.execPath, '--input-type=module', '-e', script];
    const { stderr } = spawnSync('strace', [...args, ...command], {
      cwd: folder,
      encoding: 'utf8',
    });
    const calls = [...stderr.matchAll(/(fsync|rename\w*)\(.*?(\.part|\bgatefold-write-\w+)[>"]/g)];
    expect(calls.map(([, call, on]) => `${call} ${on === '.part' ? 'part' : 'folder'}`)).toEqual([
      'fsync part',
      'rename part',
      'fsync folder',
    ]);
  },
);
