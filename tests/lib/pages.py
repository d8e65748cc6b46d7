"""Checksums of the pages of a database file, for tests that alter one with sqlite3, which knows nothing of them."""
import struct

MASK = (1 << 64) - 1
PRIME_1, PRIME_2, PRIME_3, PRIME_4 = 0x9e3779b185ebca87, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0x85ebca77c2b2ae63


def _rotate(value, bits):
    return (value << bits | value >> (64 - bits)) & MASK


def _take_in(lane, word):
    return _rotate((lane + word * PRIME_2) & MASK, 31) * PRIME_1 & MASK


def xxh64(data, seed):
    """Of 32 bytes and more, a multiple of 8."""
    words = struct.unpack("<%dQ" % (len(data) // 8), data)
    whole = len(words) // 4 * 4
    lanes = [(seed + PRIME_1 + PRIME_2) & MASK, (seed + PRIME_2) & MASK, seed, (seed - PRIME_1) & MASK]
    for at in range(0, whole, 4):
        lanes = [_take_in(lane, word) for lane, word in zip(lanes, words[at:at + 4])]
    total = sum(_rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18))) & MASK
    for lane in lanes:
        total = ((total ^ _take_in(0, lane)) * PRIME_1 + PRIME_4) & MASK
    total = (total + len(data)) & MASK
    for word in words[whole:]:
        total = (_rotate(total ^ _take_in(0, word), 27) * PRIME_1 + PRIME_4) & MASK
    total = (total ^ total >> 33) * PRIME_2 & MASK
    total = (total ^ total >> 29) * PRIME_3 & MASK
    return total ^ total >> 32


def _pages(path):
    with open(path, "rb") as file:
        content = file.read()
    size = struct.unpack(">H", content[16:18])[0] or 4096
    size = 65536 if size == 1 else size
    return [content[at:at + size] for at in range(0, len(content), size)]


def _sealed(page, number):
    return page[:-8] + struct.pack("<Q", xxh64(page[:-8], number))


def damaged(path):
    """The numbers of pages whose checksum does not fit."""
    return [number for number, page in enumerate(_pages(path), 1) if _sealed(page, number) != page]


def has_checksums(path):
    with open(path, "rb") as file:
        return file.read(21)[20] == 8


def seal(path):
    """Give every page the checksum that fits; nobody has the file open, and it has no -wal."""
    content = b"".join(_sealed(page, number) for number, page in enumerate(_pages(path), 1))
    with open(path, "r+b") as file:
        file.write(content)
