/** Things between runs: copied from a heap with all that they hold, and put into another. */
import { addField, addOrdered, addTo, allocate, type Frame } from "./frame.ts";
import { newThing, reference, type Shape, stable, type Thing, type Value, type Values } from "./value.ts";

/** Changes a shape into a thing of this heap, once for each id. */
export function thaw(frame: Frame, shape: Shape, id: string): Value {
  if (frame.heap.has(id)) {
    merge(frame, allocate(frame, id), shape.thing);
    return reference(id);
  }
  const thing = allocate(frame, id);
  merge(frame, thing, shape.thing);
  return reference(id);
}

function merge(frame: Frame, thing: Thing, other: Thing): void {
  for (const [name, values] of other.fields) addField(frame, thing, name, values);
  for (const list of ["elements", "carries", "inputs", "outputs", "rest"] as const) addTo(frame, thing, list, other[list]);
  if (other.class) thing.class = other.class;
  if (other.library) thing.library = other.library;
  if (other.as) thing.as = other.as;
  if (other.sink) thing.sink = true;
  if (other.sent) thing.sent = true;
  for (const [key, item] of other.order) addOrdered(frame, thing, key, item.values, item.spread);
}

const MOST_SHAPES = 40;
const DEEPEST_SHAPE = 4;

/** A copy of a thing, and of what it holds, that outlives the heap. What is too large or goes in circles is cut off. */
export function shapeOf(frame: Frame, value: Value, made: Map<string, Value> = new Map(), depth = 0): Value {
  if (value.kind !== "thing") return value;
  const thing = frame.heap.get(value.id);
  const known = made.get(value.id);
  if (known) return known;
  if (!thing || depth > DEEPEST_SHAPE || made.size >= MOST_SHAPES) return stable(`?${value.key}`);
  made.set(value.id, stable(`?${value.key}`));
  const copy = (values: Values): Values => values.map((one) => shapeOf(frame, one, made, depth + 1));
  // Of an object within another one its class is what counts, and the paths that it knows.
  if (depth > 0 && thing.class) {
    const fields = new Map([...thing.fields].filter(([, values]) => values.every((one) => one.kind === "text" || one.kind === "joined")));
    const inner: Value = {
      kind: "shape",
      key: `shape:${value.id}`,
      id: value.id,
      thing: { ...newThing(value.id), class: thing.class, fields },
    };
    made.set(value.id, inner);
    return inner;
  }
  const own: Thing = {
    ...thing,
    fields: new Map([...thing.fields].map(([name, values]) => [name, copy(values)])),
    elements: copy(thing.elements),
    carries: copy(thing.carries),
    inputs: copy(thing.inputs),
    outputs: copy(thing.outputs),
    rest: copy(thing.rest),
    order: new Map([...thing.order].map(([key, item]) => [key, { ...item, values: copy(item.values) }])),
  };
  const shape: Value = { kind: "shape", key: `shape:${value.id}`, id: value.id, thing: own };
  made.set(value.id, shape);
  return shape;
}
