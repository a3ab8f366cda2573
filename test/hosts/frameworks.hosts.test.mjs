import { conformance } from './conformance.mjs';

conformance('frameworks');
