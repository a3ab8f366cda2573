import { conformance } from './conformance.mjs';

conformance('edges');
