"""mmengine without its messages for debugging where they would be printed, such as mmdet's on data sets it lacks.

`print_log` without a logger prints whatever the level. Importing this module before mmdet or mmseg ends that.
"""

import logging
from functools import wraps
from typing import Any

import mmengine.logging

print_any = mmengine.logging.print_log


@wraps(print_any)
def print_log(msg: Any, logger: Any = None, level: int = logging.INFO) -> None:
    """mmengine's, without what is below INFO and has no logger."""
    if logger is not None or level >= logging.INFO:
        print_any(msg, logger, level)


mmengine.logging.print_log = print_log
