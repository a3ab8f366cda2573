/**
 * What pages take from a CDN or a classic script, in one file: the default entry, files as bytes
 * and threads. The build makes dist/gatefold.esm.js and dist/gatefold.iife.js of it.
 */

export * from '../formats/safetensors.ts';
export * from '../hosts/default.ts';
export * from './index.ts';
