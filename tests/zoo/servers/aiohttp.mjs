// aiohttp's static routes.
import { pipVersion, servePython } from './support.mjs';

export const start = (folder) => servePython('aiohttp_static.py', pipVersion('aiohttp'), folder);
