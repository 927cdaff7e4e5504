/**
 * The two cyclic redundancy checks of object storages that Node does not have. Both are reflected, start with all ones and end with a
 * complement; they are run eight bytes at a time with eight tables ("slicing by eight").
 * Parameters: CRC-32/ISCSI and CRC-64/NVME in the catalogue of parametrised CRC algorithms (reveng.sourceforge.io/crc-catalogue).
 */

/** Takes bytes until `finish` gives the value, most significant byte first. */
export interface Crc {
  update(bytes: Uint8Array): void;
  finish(): Buffer;
}

const POLYNOMIAL_32C = 0x82f63b78;
const POLYNOMIAL_64_HIGH = 0x9a6c9329;
const POLYNOMIAL_64_LOW = 0xac4bc9b5;
const SLICES = 8;

/** For each slice 256 values; made when the first checksum of its kind is wanted. */
let table32: Int32Array | undefined;
let tables64: { readonly high: Int32Array; readonly low: Int32Array } | undefined;

export function startCrc32c(): Crc {
  const table = (table32 ??= makeTable32());
  let crc = -1;
  return {
    update(bytes) {
      crc = runCrc32c(table, crc, bytes);
    },
    finish() {
      const value = Buffer.alloc(4);
      value.writeInt32BE(~crc);
      return value;
    },
  };
}

export function startCrc64nvme(): Crc {
  const { high, low } = (tables64 ??= makeTables64());
  const state = new Int32Array([-1, -1]);
  return {
    update: (bytes) => runCrc64(high, low, state, bytes),
    finish() {
      const value = Buffer.alloc(8);
      value.writeInt32BE(~state[0]!, 0);
      value.writeInt32BE(~state[1]!, 4);
      return value;
    },
  };
}

function runCrc32c(t: Int32Array, start: number, b: Uint8Array): number {
  let crc = start;
  let i = 0;
  for (const end = b.length - 7; i < end; i += 8) {
    const low = crc ^ (b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24));
    crc =
      t[0x700 | (low & 0xff)]! ^
      t[0x600 | ((low >>> 8) & 0xff)]! ^
      t[0x500 | ((low >>> 16) & 0xff)]! ^
      t[0x400 | (low >>> 24)]! ^
      t[0x300 | b[i + 4]!]! ^
      t[0x200 | b[i + 5]!]! ^
      t[0x100 | b[i + 6]!]! ^
      t[b[i + 7]!]!;
  }
  for (; i < b.length; i++) crc = t[(crc ^ b[i]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}

/** The state is the upper and the lower half of the value, because numbers of 64 bits are slow here. */
function runCrc64(th: Int32Array, tl: Int32Array, state: Int32Array, b: Uint8Array): void {
  let high = state[0]!;
  let low = state[1]!;
  let i = 0;
  for (const end = b.length - 7; i < end; i += 8) {
    const x = low ^ (b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24));
    const y = high ^ (b[i + 4]! | (b[i + 5]! << 8) | (b[i + 6]! << 16) | (b[i + 7]! << 24));
    const i7 = 0x700 | (x & 0xff);
    const i6 = 0x600 | ((x >>> 8) & 0xff);
    const i5 = 0x500 | ((x >>> 16) & 0xff);
    const i4 = 0x400 | (x >>> 24);
    const i3 = 0x300 | (y & 0xff);
    const i2 = 0x200 | ((y >>> 8) & 0xff);
    const i1 = 0x100 | ((y >>> 16) & 0xff);
    const i0 = y >>> 24;
    high = th[i7]! ^ th[i6]! ^ th[i5]! ^ th[i4]! ^ th[i3]! ^ th[i2]! ^ th[i1]! ^ th[i0]!;
    low = tl[i7]! ^ tl[i6]! ^ tl[i5]! ^ tl[i4]! ^ tl[i3]! ^ tl[i2]! ^ tl[i1]! ^ tl[i0]!;
  }
  for (; i < b.length; i++) {
    const at = (low ^ b[i]!) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ tl[at]!;
    high = (high >>> 8) ^ th[at]!;
  }
  state[0] = high;
  state[1] = low;
}

function makeTable32(): Int32Array {
  const table = new Int32Array(SLICES * 256);
  for (let n = 0; n < 256; n++) {
    let value = n;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL_32C : value >>> 1;
    table[n] = value;
  }
  for (let n = 256; n < table.length; n++) {
    const before = table[n - 256]!;
    table[n] = (before >>> 8) ^ table[before & 0xff]!;
  }
  return table;
}

function makeTables64(): { readonly high: Int32Array; readonly low: Int32Array } {
  const high = new Int32Array(SLICES * 256);
  const low = new Int32Array(SLICES * 256);
  for (let n = 0; n < 256; n++) {
    let upper = 0;
    let lower = n;
    for (let bit = 0; bit < 8; bit++) {
      const odd = lower & 1;
      lower = (lower >>> 1) | (upper << 31);
      upper >>>= 1;
      if (odd) {
        upper ^= POLYNOMIAL_64_HIGH;
        lower ^= POLYNOMIAL_64_LOW;
      }
    }
    high[n] = upper;
    low[n] = lower;
  }
  for (let n = 256; n < high.length; n++) {
    const upper = high[n - 256]!;
    const lower = low[n - 256]!;
    low[n] = ((lower >>> 8) | (upper << 24)) ^ low[lower & 0xff]!;
    high[n] = (upper >>> 8) ^ high[lower & 0xff]!;
  }
  return { high, low };
}
