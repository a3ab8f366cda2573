import { conformance } from './conformance.mjs';
import { closeEngines } from './drivers/pages.mjs';

conformance('browsers', closeEngines);
