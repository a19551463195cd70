"""Where files keep a text of ours: PNG (iTXt), GIF (a comment), WebP (XMP), and a file beside numbers and videos.

Files are walked part by part, without decoding a pixel, and everything about them may be a lie: lengths are checked,
compressed texts are unpacked up to a limit, and a file that ends too early merely has no text.
"""

from __future__ import annotations

import html
import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from PIL.PngImagePlugin import PngInfo

from core.errors import Refusal

MAX_BYTES = 16_000_000
"""Of a text; the deepest tree of branches with the longest schedules takes less."""
KEYWORD = "diffuscope"
MARK = '{"program":"Diffuscope'
"""How a text of ours begins where nothing else names it."""
SILENT = (".npy", ".safetensors", ".mp4")
"""Endings of files beside which there is one that says what they are."""
MOST_PARTS = 1_000_000
"""Parts of a file that are walked through before it is given up."""

_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:diffuscope="urn:diffuscope:1">'
    '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{sentence}</rdf:li></rdf:Alt></dc:description>'
    "<diffuscope:recipe>{text}</diffuscope:recipe></rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="w"?>'
)
_IN_XMP = re.compile(rb"<diffuscope:recipe>([^<]*)</diffuscope:recipe>")


def carrying(form: str, sentence: str, text: str) -> dict[str, Any]:
    """What pillow's ``save`` must be told for a file of this format ("PNG", "GIF", "WEBP") to carry both texts."""
    if form == "PNG":
        info = PngInfo()
        info.add_itxt("Description", sentence)
        info.add_itxt(KEYWORD, text)  # not compressed: readers refuse what grows beyond a megabyte
        return {"pnginfo": info}
    if form == "GIF":
        return {"comment": f"{sentence}\n{text}".encode()}
    return {"xmp": _XMP.format(sentence=html.escape(sentence), text=html.escape(text, quote=False)).encode()}


def beside(path: Path) -> Path:
    """The file beside one of the ``SILENT`` that says what it is."""
    return path.with_name(f"{path.name}.json")


def find_text(source: Path | bytes) -> str | None:
    """The text of ours that a file carries, or that lies beside it; None where there is none. Raises Refusal where it
    is damaged."""
    if isinstance(source, bytes):
        return _found(io.BytesIO(source))
    path = beside(source) if source.suffix.lower() in SILENT else source
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as stream:
            return _of_json(stream) if path is not source or path.suffix.lower() == ".json" else _found(stream)
    except (OSError, ValueError) as error:
        raise Refusal(f"{path.name!r} cannot be read.", repr(error)) from error


def _found(stream: BinaryIO) -> str | None:
    head = stream.read(12)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        stream.seek(8)
        return _of_png(stream)
    if head[:6] in (b"GIF87a", b"GIF89a"):
        stream.seek(6)
        return _of_gif(stream)
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return _of_webp(stream)
    return None


def _of_json(stream: BinaryIO) -> str:
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _too_large()
    return content.decode("utf-8")


# ------------------------------------------------------------------------------------------------ PNG


def _of_png(stream: BinaryIO) -> str | None:
    for _ in range(MOST_PARTS):
        head = stream.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return None
        (length,) = struct.unpack(">I", head[:4])
        key = len(KEYWORD) + 1
        if head[4:] not in (b"tEXt", b"iTXt", b"zTXt") or length < key:
            stream.seek(length + 4, io.SEEK_CUR)
            continue
        begin = stream.read(key)
        if begin != f"{KEYWORD}\0".encode():
            stream.seek(length - key + 4, io.SEEK_CUR)
            continue
        if length > MAX_BYTES + 1000:
            raise _too_large()
        body, check = stream.read(length - key), stream.read(4)
        if len(check) < 4 or struct.unpack(">I", check)[0] != zlib.crc32(body, zlib.crc32(head[4:] + begin)):
            raise _damaged()
        return _text_of_chunk(head[4:], body)
    return None


def _text_of_chunk(kind: bytes, body: bytes) -> str:
    try:
        if kind == b"tEXt":
            return body.decode("latin-1")
        if kind == b"zTXt":
            return _unpacked(body[1:]).decode("latin-1")
        is_packed, rest = body[0] == 1, body[2:]
        _language, _translated, text = rest.split(b"\0", 2)
        return (_unpacked(text) if is_packed else text).decode("utf-8")
    except (ValueError, IndexError, zlib.error) as error:
        raise _damaged() from error


def _unpacked(data: bytes) -> bytes:
    """Raises Refusal for more than any recipe is: a bomb is not unpacked to its end."""
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(data, MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _too_large()
    return content


# ------------------------------------------------------------------------------------------------ GIF


def _of_gif(stream: BinaryIO) -> str | None:
    screen = stream.read(7)
    if len(screen) < 7:
        return None
    stream.seek(_colours(screen[4]), io.SEEK_CUR)
    for _ in range(MOST_PARTS):
        kind = stream.read(1)
        if kind == b"!":
            label = stream.read(1)
            text = _comment(stream) if label == b"\xfe" else None
            if label != b"\xfe":
                _skip_blocks(stream)
            elif text is not None:
                return text
        else:  # the first picture, before which ours stands; the end; or no GIF any more
            return None
    return None


def _colours(flags: int) -> int:
    """Bytes of the table of colours that follows."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks(stream: BinaryIO) -> Iterator[int]:
    for _ in range(MOST_PARTS):
        size = stream.read(1)
        if size in (b"", b"\0"):
            return
        yield size[0]


def _skip_blocks(stream: BinaryIO) -> None:
    for size in _blocks(stream):
        stream.seek(size, io.SEEK_CUR)


def _comment(stream: BinaryIO) -> str | None:
    """The text in a comment, None where it is not ours."""
    content = bytearray()
    for size in _blocks(stream):
        content += stream.read(size)
        if len(content) > MAX_BYTES:
            raise _too_large()
    begin = content.find(MARK.encode())
    if begin < 0:
        return None
    try:
        return content[begin:].decode("utf-8")
    except ValueError as error:
        raise _damaged() from error


# ------------------------------------------------------------------------------------------------ WebP


def _of_webp(stream: BinaryIO) -> str | None:
    for _ in range(MOST_PARTS):
        head = stream.read(8)
        if len(head) < 8:
            return None
        (length,) = struct.unpack("<I", head[4:])
        if head[:4] != b"XMP ":
            stream.seek(length + length % 2, io.SEEK_CUR)
            continue
        if length > 2 * MAX_BYTES:
            raise _too_large()
        match = _IN_XMP.search(stream.read(length))
        if match is None:
            return None
        try:
            return html.unescape(match[1].decode("utf-8"))
        except ValueError as error:
            raise _damaged() from error
    return None


def _too_large() -> Refusal:
    return Refusal("The recipe in this file is larger than any can be.")


def _damaged() -> Refusal:
    return Refusal("The recipe in this file is damaged. The picture itself may still be used.")
