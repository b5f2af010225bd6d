// All rows of the table.
import { constants } from './constants.mjs';
import { ends } from './ends.mjs';
import { files } from './files.mjs';
import { interpositions } from './interposed.mjs';
import { nodes } from './nodes.mjs';
import { ranges } from './ranges.mjs';
import { redirects } from './redirects.mjs';

export const rows = [...nodes, ...ranges, ...ends, ...interpositions, ...constants, ...redirects, ...files];
