import { GatefoldError, shorten } from '../../base/errors.ts';
import { decodeUtf8 } from '../../base/utf8.ts';
import type { Dim } from './dims.ts';
import type { AttributeProto, NodeProto } from './proto.ts';

/** Why a node cannot be read, as a part of a list of such reasons. */
export class Refusal extends GatefoldError {
  /** Whether a size would help that nobody has said yet. */
  readonly isOpen: boolean;

  constructor(message: string, isOpen: boolean) {
    super('ERR_UNSUPPORTED', message);
    this.isOpen = isOpen;
  }
}

/** One operator of the graph and its attributes. */
export class Node {
  readonly type: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly opset: number;
  readonly #attributes = new Map<string, AttributeProto>();

  constructor({ type = '', name, inputs, outputs, attributes }: NodeProto, opset: number) {
    this.type = type;
    this.inputs = inputs;
    this.outputs = outputs;
    this.opset = opset;
    this.name = name || outputs.find((output) => output !== '') || type;
    for (const attribute of attributes) this.#attributes.set(attribute.name ?? '', attribute);
  }

  refuse(problem: string, isOpen = false): never {
    throw new Refusal(`${this.type} "${shorten(this.name)}": ${problem}`, isOpen);
  }

  /** Refuses what depends on the size of an axis that has a name alone. */
  refuseOpen(size: Dim, what = 'it'): never {
    const problem = `${what} needs to know how large "${size}" is: pass { dims: { NAME: size } }`;
    return this.refuse(problem, true);
  }

  has(name: string): boolean {
    return this.#attributes.has(name);
  }

  get(name: string): AttributeProto | undefined {
    return this.#attributes.get(name);
  }

  int<T extends number | undefined>(name: string, otherwise: T): number | T {
    return this.get(name)?.int ?? otherwise;
  }

  float(name: string, otherwise: number): number {
    return this.get(name)?.float ?? otherwise;
  }

  text(name: string, otherwise: string): string {
    const bytes = this.get(name)?.text;
    return (bytes && decodeUtf8(bytes)) ?? otherwise;
  }

  ints(name: string): readonly number[] | undefined {
    return this.get(name)?.ints;
  }

  floats(name: string): readonly number[] {
    return this.get(name)?.floats ?? [];
  }

  /** An axis from the front. */
  axis(given: number, rank: number): number {
    const axis = given < 0 ? given + rank : given;
    if (Number.isInteger(axis) && axis >= 0 && axis < rank) return axis;
    return this.refuse(`its axis ${given} is not one of ${rank}`);
  }
}
