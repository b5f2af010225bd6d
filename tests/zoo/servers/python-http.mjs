// `python -m http.server`.
import { python, servePython, versionOf } from './support.mjs';

export const start = (folder) => servePython('python_http.py', versionOf(python(), ['--version']), folder);
