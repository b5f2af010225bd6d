// One finding: what was seen, what to change, and, where one would do it, the header line to add.

export const ok = (code, seen) => ({ code, level: 'ok', seen });
export const warning = (code, seen, change, header) => ({ code, level: 'warning', seen, change, header });
export const problem = (code, seen, change, header) => ({ code, level: 'problem', seen, change, header });
