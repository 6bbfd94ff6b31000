// Layout: which entries share a line.

/** Entries of an object, and of what is like an array; for the latter short ones may be set in columns. */
const OBJECT = 0;
const LIST = 1;

/**
 * Puts braces around entries: on one line if it is short enough and holds few levels of nesting, else one entry (or one row of columns) a line.
 */
function assemble(ctx, entries, head, braces, kind, level, value) {
  const before = head === '' ? '' : head + ' ';
  const pad = '\n' + ' '.repeat(ctx.indent);
  if (ctx.compact === true) {
    if (fits(ctx, entries, 0, head)) {
      return `${braces[0]}${head === '' ? '' : ' ' + head} ${entries.join(', ')} ${braces[1]}`;
    }
    const lead = head === '' && braces[0].length === 1 ? ' ' : `${head === '' ? '' : ' ' + head}${pad}  `;
    return `${braces[0]}${lead}${entries.join(`,${pad}  `)} ${braces[1]}`;
  }
  if (typeof ctx.compact === 'number' && ctx.compact >= 1) {
    let rows = entries;
    if (kind === LIST && entries.length > 6) {
      rows = inColumns(ctx, entries, value);
    }
    // An object may be on one line if it holds less than ctx.compact levels of objects, and its list was not set in columns.
    if (ctx.deepest - level < ctx.compact && rows === entries) {
      const start = entries.length + ctx.indent + braces[0].length + head.length + 10;
      if (fits(ctx, entries, start, head)) {
        const line = entries.join(', ');
        if (!line.includes('\n')) {
          return `${before}${braces[0]} ${line} ${braces[1]}`;
        }
      }
    }
    entries = rows;
  }
  return `${before}${braces[0]}${pad}  ${entries.join(`,${pad}  `)}${pad}${braces[1]}`;
}

function fits(ctx, entries, start, head) {
  let total = entries.length + start;
  if (total + entries.length > ctx.breakLength) {
    return false;
  }
  for (let i = 0; i < entries.length; i++) {
    total += ctx.colors ? withoutColors(entries[i]).length : entries[i].length;
    if (total > ctx.breakLength) {
      return false;
    }
  }
  return head === '' || !head.includes('\n');
}

/**
 * Sets short entries of similar length in columns, about as wide as high; numbers to the right. Returns the entries themselves when that
 * does not look better.
 */
function inColumns(ctx, entries, value) {
  const GAP = 2; // a comma and a space
  const more = ctx.maxArrayLength < entries.length; // the last entry is "... n more items"
  const count = more ? entries.length - 1 : entries.length;
  const widths = new Array(count);
  let total = 0;
  let widest = 0;
  for (let i = 0; i < count; i++) {
    const w = width(entries[i], ctx.colors);
    widths[i] = w;
    total += w + GAP;
    if (w > widest) {
      widest = w;
    }
  }
  const column = widest + GAP;
  if (column * 3 + ctx.indent >= ctx.breakLength || (total / column <= 5 && widest > 6)) {
    return entries;
  }
  // A character is about 2.5 times as high as wide; entries shorter than the widest make room for more columns.
  const bias = Math.max(column - 3 - Math.sqrt(column - total / entries.length), 1);
  const columns = Math.min(
    Math.round(Math.sqrt(2.5 * bias * count) / bias),
    Math.floor((ctx.breakLength - ctx.indent) / column),
    ctx.compact * 4,
    15,
  );
  if (columns <= 1) {
    return entries;
  }
  const columnWidths = [];
  for (let c = 0; c < columns; c++) {
    let w = 0;
    for (let i = c; i < count; i += columns) {
      w = Math.max(w, widths[i]);
    }
    columnWidths.push(w + GAP);
  }
  const right = value !== undefined && onlyNumbers(value, entries.length);
  const rows = [];
  for (let i = 0; i < count; i += columns) {
    const end = Math.min(i + columns, count);
    let row = '';
    for (let j = i; j < end; j++) {
      const last = j === end - 1;
      const cell = last ? entries[j] : entries[j] + ', ';
      const room = columnWidths[j - i] - widths[j] - GAP;
      const fill = room > 0 ? ' '.repeat(room) : '';
      row += right ? fill + cell : last ? cell : cell + fill;
    }
    rows.push(row);
  }
  if (more) {
    rows.push(entries[count]);
  }
  return rows;
}

function onlyNumbers(value, n) {
  for (let i = 0; i < n; i++) {
    const t = typeof value[i];
    if (t !== 'number' && t !== 'bigint') {
      return false;
    }
  }
  return true;
}
