import { conformance } from './conformance.mjs';

conformance('servers');
