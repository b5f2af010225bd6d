// The types of what a session dispatches, so that `addEventListener` knows each event's `detail`. Types only.
import type { Group } from './group.js';
import type { Task } from './task.js';
import type { TaskEvent, TaskProgress } from './types.js';

export interface SessionEventMap {
  /** A task whose state changed. */
  task: CustomEvent<Task>;
  /** A group whose counts changed. */
  group: CustomEvent<Group>;
  /** Live progress of running tasks. */
  progress: CustomEvent<TaskProgress[]>;
  /** A durable event, before it is handled here or seen while another page handles it. */
  event: CustomEvent<TaskEvent>;
  /** The id of a task that was released. */
  released: CustomEvent<string>;
  /** The browser has thrown away all that was stored, under the hands of this page: the session goes on with nothing. */
  evicted: CustomEvent<undefined>;
  /** This page is the delegate now. */
  delegate: CustomEvent<undefined>;
  /** The events that waited when this page became the delegate are all acknowledged. */
  alleventsdelivered: CustomEvent<undefined>;
}

type Options<T> = boolean | T;

/** An EventTarget that dispatches `SessionEventMap`. */
export interface SessionEventTarget extends EventTarget {
  addEventListener<K extends keyof SessionEventMap>(
    type: K,
    listener: (event: SessionEventMap[K]) => void,
    options?: Options<AddEventListenerOptions>,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: Options<AddEventListenerOptions>): void;
  removeEventListener<K extends keyof SessionEventMap>(
    type: K,
    listener: (event: SessionEventMap[K]) => void,
    options?: Options<EventListenerOptions>,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: Options<EventListenerOptions>): void;
}
