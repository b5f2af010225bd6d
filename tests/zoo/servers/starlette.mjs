// Starlette's StaticFiles, run by uvicorn; FastAPI serves files by the same class.
import { pipVersion, servePython } from './support.mjs';

export const start = (folder) => servePython('starlette_static.py', `${pipVersion('starlette')} (uvicorn ${pipVersion('uvicorn')})`, folder);
