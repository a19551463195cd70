"""A pickle read as data: lists, dictionaries, numbers, texts, and notes of what it wanted called. Nothing is called.

A pickle is a program for a small stack machine, and Python's own machine runs whatever functions the program names.
This one knows the same instructions (those of ``pickletools``) but has no functions: naming one leaves a ``Name``,
calling one a ``Call`` or what ``made`` turns it into. The size of all it makes is bounded by that of the pickle.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

MAX_INSTRUCTIONS = 500_000
MAX_ITEM = 25_000_000
"""Bytes of one text or number within a pickle."""


class BadPickle(ValueError):
    """The bytes are no pickle, or one that is larger than beside weights it can be; ``names`` are the functions and
    classes that it had named until there."""

    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Name:
    """A function or class by its full name, "torch.FloatStorage"."""

    full: str


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What would have been called, and with what."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """What a pickle holds, and every function and class that it names."""

    value: Any
    names: frozenset[str]


def read_pickle(
    stream: BinaryIO,
    made: Callable[[str, tuple[Any, ...]], Any] = Call,
    kept: Callable[[Any], Any] = lambda key: Call("persistent", (key,)),
) -> Read:
    """Read one pickle from where the stream stands; it stands behind it afterwards.

    Args:
        made: gives the value of calling a named function with arguments; it sees data only.
        kept: gives the value that stands for a persistent id.

    Raises:
        BadPickle: for everything that is no pickle.
    """
    machine = _Machine(made, kept)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(_Bounded(stream))):  # type: ignore[arg-type]
            if count > MAX_INSTRUCTIONS:
                raise BadPickle(f"more than {MAX_INSTRUCTIONS} instructions")
            machine.do(opcode.name, argument)
        return Read(machine.pop(), frozenset(machine.names))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, EOFError, MemoryError) as error:
        bad = error if isinstance(error, BadPickle) else BadPickle(f"{type(error).__name__}: {error}")
        bad.names = frozenset(machine.names)
        raise bad from error


class _Bounded:
    """A stream that gives no piece larger than an item can be, however much is asked for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, count: int) -> bytes:
        if not 0 <= count <= MAX_ITEM:
            raise BadPickle(f"an item of {count} bytes")
        return self._stream.read(count)

    def readline(self) -> bytes:
        line = self._stream.readline(4096)
        if not line.endswith(b"\n"):
            raise BadPickle("a line without end")
        return line


class _Mark:
    """Where a list of items on the stack begins."""


_MARK = _Mark()
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MADE_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": list}
_NOTHING = ("PROTO", "FRAME", "STOP", "NEXT_BUFFER", "READONLY_BUFFER")
_VALUES = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)


class _Machine:
    def __init__(self, made: Callable[[str, tuple[Any, ...]], Any], kept: Callable[[Any], Any]) -> None:
        self.names: set[str] = set()
        self._made, self._kept = made, kept
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def do(self, name: str, argument: Any) -> None:
        """One instruction of ``pickletools``."""
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _MADE_EMPTY:
            self._stack.append(_MADE_EMPTY[name]())
        elif name in _TUPLES:
            self._stack.append(tuple(reversed([self.pop() for _ in range(_TUPLES[name])])))
        elif name not in _NOTHING:
            action = getattr(self, f"_{name.lower()}", None)
            if action is None:
                raise BadPickle(f"the instruction {name}")
            action(argument)

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise BadPickle("a mark in the place of a value")
        return value

    def _items(self) -> list[Any]:
        """Everything above the last mark, which goes too."""
        for start in range(len(self._stack) - 1, -1, -1):
            if self._stack[start] is _MARK:
                items = self._stack[start + 1 :]
                del self._stack[start:]
                return items
        raise BadPickle("no mark")

    def _name(self, full: str) -> Name:
        self.names.add(full)
        return Name(full)

    def _call(self, function: Any, arguments: Any) -> None:
        name = function.full if isinstance(function, Name) else "something without a name"
        self._stack.append(self._made(name, arguments if isinstance(arguments, tuple) else (arguments,)))

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _pop(self, _: Any) -> None:
        self._stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._items()

    def _dup(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    _binget = _long_binget = _get

    def _list(self, _: Any) -> None:
        self._stack.append(self._items())

    _frozenset = _list

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._items()))

    def _dict(self, _: Any) -> None:
        items = self._items()
        self._stack.append({})
        self._set(items)

    def _append(self, _: Any) -> None:
        self._extend([self.pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._items())

    _additems = _appends

    def _extend(self, items: list[Any]) -> None:
        if isinstance(self._stack[-1], list):
            self._stack[-1].extend(items)

    def _setitem(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self._set([key, value])

    def _setitems(self, _: Any) -> None:
        self._set(self._items())

    def _set(self, items: list[Any]) -> None:
        # Keys other than texts and small numbers are of no use here; to hash what is nested would follow it down.
        into = self._stack[-1]
        if isinstance(into, dict):
            for key, value in zip(items[::2], items[1::2], strict=True):
                if isinstance(key, str) or (isinstance(key, int) and abs(key) < 2**31):
                    into[key] = value

    def _build(self, _: Any) -> None:
        self.pop()  # the state of an object, which a note has not

    def _global(self, argument: str) -> None:
        self._stack.append(self._name(".".join(argument.split(" ", 1))))

    def _stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise BadPickle("a function whose name is no text")
        self._stack.append(self._name(f"{module}.{name}"))

    def _reduce(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        self._call(function, arguments)

    _newobj = _reduce

    def _newobj_ex(self, _: Any) -> None:
        self.pop()  # arguments by name
        self._reduce(None)

    def _obj(self, _: Any) -> None:
        function, *arguments = self._items()
        self._call(function, tuple(arguments))

    def _inst(self, argument: str) -> None:
        self._call(self._name(".".join(argument.split(" ", 1))), tuple(self._items()))

    def _ext1(self, code: int) -> None:
        self._stack.append(self._name(f"extension {code}"))

    _ext2 = _ext4 = _ext1

    def _persid(self, key: str) -> None:
        self._stack.append(self._kept(key))

    def _binpersid(self, _: Any) -> None:
        self._stack.append(self._kept(self.pop()))
