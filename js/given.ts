// Messages carry only what was given: a missing property means "as it was", or the default.

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The fields that are not `undefined`. */
export function given<T extends object>(fields: T): Given<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<T>;
}
