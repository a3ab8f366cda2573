/** What a failed `assert` does in the debug build: trap, so that no build imports `env.abort`. */
export function abort(_message: usize, _file: usize, _line: u32, _column: u32): void {
  unreachable();
}
