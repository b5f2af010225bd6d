// Werkzeug's send_from_directory, which is Flask's.
import { pipVersion, servePython } from './support.mjs';

export const start = (folder) => servePython('werkzeug_static.py', pipVersion('werkzeug'), folder);
