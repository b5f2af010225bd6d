// Which versions the browsers and other programs are.
import { spawnSync } from 'node:child_process';
import { findChromium, findFirefox } from '../../tools/setup.mjs';

/** What a program says of its version: the first number with dots. */
export function versionOf(command, args) {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return /\d+(\.\d+)+/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown';
}

/** WebKitGTK has no program that tells its version, but its library does. */
const WEBKIT_VERSION = `import gi
gi.require_version("WebKit2", "4.1")
from gi.repository import WebKit2 as webkit
print(webkit.get_major_version(), webkit.get_minor_version(), webkit.get_micro_version(), sep=".")`;

/** What tells the version of each browser. */
const VERSIONS = {
  chromium: () => versionOf(findChromium(), ['--version']),
  firefox: () => versionOf(findFirefox(), ['--version']),
  webkit: () => versionOf('/usr/bin/python3', ['-c', WEBKIT_VERSION]),
};

/** The versions of these browsers, by name. */
export const versionsOf = (names) => Object.fromEntries(names.map((name) => [name, VERSIONS[name]()]));
