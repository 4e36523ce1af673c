"""Bytes damaged at random, the same for the same seed: as disks, networks, other programs and enemies leave them."""

import gzip
import random
import zlib

# What headers are wrong by: the ends of whole numbers, and counts that are much too large.
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 65_537, 100_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEADER_BYTES = 700
_PNG = b"\x89PNG\r\n\x1a\n"
_GZIP = b"\x1f\x8b"
# Damage mostly goes below the checksums, or nothing behind them would ever be tried.
_BELOW_CHECKSUMS = 0.8


def mutated(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return a file's content with one kind of damage, once or in several places; `other` is one that pieces are taken from."""
    below = chance.random() < _BELOW_CHECKSUMS
    if below and content.startswith(_GZIP):
        return gzip.compress(_damaged(gzip.decompress(content), other, chance), 1)
    damaged = _damaged(content, other, chance)
    return _with_checksums(damaged) if below and damaged.startswith(_PNG) else damaged


def _damaged(content: bytes, other: bytes, chance: random.Random) -> bytes:
    raw = bytearray(content)
    damage = chance.choice([_flip, _number, _number, _number, _cut, _piece, _twice, _zeros, _insert])
    for _ in range(chance.choice([1, 1, 1, 2, 4, 16])):
        if raw:
            damage(raw, other, chance)
    return bytes(raw)


def _flip(raw: bytearray, other: bytes, chance: random.Random) -> None:
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)


def _number(raw: bytearray, other: bytes, chance: random.Random) -> None:
    size = chance.choice([1, 2, 4, 4, 8])
    place = chance.randrange(max(1, min(len(raw), chance.choice([_HEADER_BYTES, len(raw)])) - size))
    number = chance.choice(_NUMBERS) & ((1 << 8 * size) - 1)
    raw[place : place + size] = number.to_bytes(size, chance.choice(["little", "big"]))


def _cut(raw: bytearray, other: bytes, chance: random.Random) -> None:
    del raw[chance.randrange(len(raw)) :]


def _piece(raw: bytearray, other: bytes, chance: random.Random) -> None:
    place, start = chance.randrange(len(raw)), chance.randrange(len(other))
    raw[place : place + chance.choice([0, 100])] = other[start : start + chance.randrange(1, 4000)]


def _twice(raw: bytearray, other: bytes, chance: random.Random) -> None:
    place = chance.randrange(len(raw))
    raw[place:place] = raw[place : place + chance.randrange(1, 400)]


def _zeros(raw: bytearray, other: bytes, chance: random.Random) -> None:
    place = chance.randrange(len(raw))
    length = min(len(raw) - place, chance.randrange(1, 300))
    raw[place : place + length] = bytes(length)


def _insert(raw: bytearray, other: bytes, chance: random.Random) -> None:
    place = chance.randrange(len(raw))
    raw[place:place] = chance.randbytes(chance.randrange(1, 30))


def _with_checksums(png: bytes) -> bytes:
    """Return a damaged PNG whose chunks, as far as they are whole, have the checksums of what they hold now."""
    mended, place = bytearray(_PNG), len(_PNG)
    while place + 12 <= len(png):
        ends = place + 12 + int.from_bytes(png[place : place + 4], "big")
        if ends > len(png):
            break
        chunk = png[place + 4 : ends - 4]
        mended += png[place : place + 4] + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        place = ends
    return bytes(mended + png[place:])
