/** A fault that trying again does not mend: of a job, a configuration, or a call. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
}

/** Refuses with a message for people. */
export function refuse(message: string): never {
  throw new ClusterError(message);
}

/** A value as errors show it: short, and on one line. */
export function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(JSON.stringify(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Something that is not there, or not yet: a job that needs it is tried again. */
export function missing(address: string): never {
  throw new Error(`there is no ${address}`);
}
