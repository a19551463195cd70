"""What a person is told when something cannot be done."""


class Refusal(Exception):
    """Something that was asked for cannot be done.

    ``str(refusal)`` is one or two plain sentences for the person: what is wrong and what to do. ``details`` holds what
    an expert may want to copy. The window shows it in the stage it belongs to; the command line prints it and exits
    with code 2.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class Diverged(Refusal):
    """A training has come to step ``step``, whose loss is no number any more."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class Cancelled(BaseException):
    """The person asked a job to stop. Not an ``Exception``, so that no broad handler swallows it."""


NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "could not create a primitive",  # oneDNN, of its kernels and their scratch
    "could not execute a primitive",
    "could not create a memory",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, whoever noticed it: Python, numpy, or torch, which on a CPU says so in words alone."""
    words = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and any(said in words for said in NO_MEMORY))
    )


def shown(name: object, most: int = 60) -> str:
    """A name from a stranger's file, fit for a sentence: short, and without what steers a terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in str(name)[:most])
