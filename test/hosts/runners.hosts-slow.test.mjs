import { conformance } from './conformance.mjs';

conformance('runners');
