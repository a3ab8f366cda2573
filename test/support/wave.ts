/** A .wav file of float32 samples, those of all channels at a time one after the other. */
export function waveFile(samples: Float32Array, channels: number): Buffer {
  const bytes = Buffer.alloc(44 + 4 * samples.length);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + 4 * samples.length, 4);
  bytes.write('WAVEfmt ', 8);
  const [rate, frame] = [8000, 4 * channels];
  for (const [at, value] of [
    [16, 16],
    [24, rate],
    [28, rate * frame],
    [40, 4 * samples.length],
  ] as const)
    bytes.writeUInt32LE(value, at);
  for (const [at, value] of [
    [20, 3],
    [22, channels],
    [32, frame],
    [34, 32],
  ] as const)
    bytes.writeUInt16LE(value, at);
  bytes.write('data', 36);
  bytes.set(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), 44);
  return bytes;
}
