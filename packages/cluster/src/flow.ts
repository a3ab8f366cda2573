/** Jobs as BullMQ takes them: some children, and the parent that follows them. */

import type { FlowJob, JobsOptions } from 'bullmq';
import { idOf } from './jobs.ts';
import type { JobData } from './jobs.ts';

export interface FlowOptions {
  readonly queue: string;
  /** How often a job is tried before it is set aside. */
  readonly tries: number;
}

const BACKOFF_MS = 500;
/** Seconds for which a finished job is remembered. */
const KEEP_S = 7 * 24 * 3600;

export function optionsOf(data: JobData, tries: number): JobsOptions {
  return {
    jobId: idOf(data),
    attempts: tries,
    backoff: { type: 'exponential', delay: BACKOFF_MS, jitter: 0.5 },
    removeOnComplete: { age: KEEP_S },
    removeOnFail: { age: KEEP_S },
    stackTraceLimit: 1,
  };
}

/** What becomes of a parent whose child is set aside. */
type OnFailure = Pick<JobsOptions, 'ignoreDependencyOnFailure' | 'failParentOnFailure'>;

export function flowOf(
  parent: JobData,
  children: readonly JobData[],
  { queue: queueName, tries }: FlowOptions,
  onFailure: OnFailure,
): FlowJob {
  return {
    name: parent.kind,
    queueName,
    data: parent,
    opts: optionsOf(parent, tries),
    children: children.map((data) => ({
      name: data.kind,
      queueName,
      data,
      opts: { ...optionsOf(data, tries), ...onFailure },
    })),
  };
}
