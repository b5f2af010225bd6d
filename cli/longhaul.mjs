#!/usr/bin/env node
// The package's command. Exit status: 0 if the server is fit, 1 if it is not or only partly, 2 for bad usage or a server
// that cannot be reached.
import { readArguments, UsageError, USAGE } from './arguments.mjs';
import { check } from './check.mjs';
import { asJson, asText } from './report.mjs';

async function run(words) {
  const options = readArguments(words);
  if (options.help) return { text: USAGE, status: 0 };
  const result = await check(options);
  return { text: options.json ? asJson(result) : asText(result), status: result.exitStatus };
}

try {
  const { text, status } = await run(process.argv.slice(2));
  process.stdout.write(text);
  process.exitCode = status;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`longhaul: ${error.message}\nTry "npx longhaul --help".\n`);
  process.exitCode = 2;
}
