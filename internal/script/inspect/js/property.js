// Properties: a key and its value, or what stands for a value that is only computed.

/** What property() is asked for besides LIST (an element: no key) and OBJECT: a property of an array. */
const EXTRA = 2;

const IDENTIFIER = /^[a-zA-Z_][a-zA-Z_0-9]*$/;

function property(ctx, obj, level, key, type, desc) {
  const d = desc || Object.getOwnPropertyDescriptor(obj, key) || {value: get(obj, key), enumerable: true};
  let s;
  let gap = ' ';
  if (d.value !== undefined) {
    const diff = ctx.compact === true && type === OBJECT ? 3 : 2;
    ctx.indent += diff;
    s = inspectValue(ctx, d.value, level, false);
    if (diff === 3 && ctx.breakLength < width(s, ctx.colors)) {
      gap = '\n' + ' '.repeat(ctx.indent);
    }
    ctx.indent -= diff;
  } else if (d.get !== undefined) {
    s = getter(ctx, obj, level, d);
  } else if (d.set !== undefined) {
    s = ctx.style('[Setter]', 'special');
  } else {
    s = ctx.style('undefined', 'undefined');
  }
  if (type === LIST) {
    return s;
  }
  return `${keyText(ctx, key, d.enumerable)}:${gap}${s}`;
}

function keyText(ctx, key, enumerable) {
  if (typeof key === 'symbol') {
    return `[${ctx.style(escapeBody(Symbol.prototype.toString.call(key), "'"), 'symbol')}]`;
  }
  if (key === '__proto__') {
    return "['__proto__']";
  }
  if (enumerable === false) {
    return `[${escapeBody(key, "'")}]`;
  }
  return IDENTIFIER.test(key) ? ctx.style(key, 'name') : ctx.style(quote(key), 'string');
}

/** An accessor; option getters asks for its value, too: true, 'get' (those without setter) or 'set' (those with). */
function getter(ctx, obj, level, d) {
  const label = d.set === undefined ? 'Getter' : 'Getter/Setter';
  const wanted = ctx.getters === true || ctx.getters === 'get' && d.set === undefined || ctx.getters === 'set' && d.set !== undefined;
  if (!wanted) {
    return ctx.style(`[${label}]`, 'special');
  }
  let value;
  try {
    value = d.get.call(obj);
  } catch (e) {
    return `${ctx.style(`[${label}: <Inspection threw (${safe(text(get(Object(e), 'message')))})>`, 'special')}${ctx.style(']', 'special')}`;
  }
  ctx.indent += 2;
  let s;
  if (value === null) {
    s = `${ctx.style(`[${label}:`, 'special')} ${ctx.style('null', 'null')}${ctx.style(']', 'special')}`;
  } else if (typeof value === 'object') {
    s = `${ctx.style(`[${label}]`, 'special')} ${inspectValue(ctx, value, level, false)}`;
  } else {
    s = `${ctx.style(`[${label}:`, 'special')} ${primitive(ctx, ctx.style, value)}${ctx.style(']', 'special')}`;
  }
  ctx.indent -= 2;
  return s;
}
