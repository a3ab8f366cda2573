import { conformance } from './conformance.mjs';

conformance('browsers');
