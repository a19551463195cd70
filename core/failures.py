"""What went wrong in the engine, in words for the person."""

from __future__ import annotations

import logging
import traceback

from core.errors import Diverged, Refusal, is_out_of_memory
from core.messages import Failed

log = logging.getLogger("diffuscope.engine")


def failure(job: int | None, error: BaseException) -> Failed:
    """The message about an exception that is being handled; what nobody foresaw goes to the log as well."""
    if isinstance(error, Refusal):
        return Failed(job, str(error), error.details, error.step if isinstance(error, Diverged) else None)
    details = traceback.format_exc()
    if is_out_of_memory(error):
        words = "There is not enough memory for this. Choose fewer samples or a smaller model, then run again."
        return Failed(job, words, details)
    what = str(error) or type(error).__name__
    words = f"Something went wrong in the engine: {what}. Help, Report copies the details."
    log.error("engine: %s\n%s", error, details)
    return Failed(job, words, details)
