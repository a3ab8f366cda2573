export { loadAudio, readAudio } from './audio/read.ts';
export type { AudioOptions, AudioSource } from './audio/read.ts';
export { writeRtneural } from './audio/write.ts';
export type { ImportedModel } from './shared/imported.ts';
