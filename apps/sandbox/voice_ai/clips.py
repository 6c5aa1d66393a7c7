"""The carrier's persona clips, as they will come over the wire."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from apps.sandbox.personas import all_lines
from apps.sandbox.speech import synthesise

from .hearing import Line


def clip_of(line: Line) -> tuple[Line, bytes]:
    return line, synthesise(line.text, line.language, "a")


def known_lines() -> list[Line]:
    return [Line(line.language, line.text, line.intent) for line in all_lines()]


def persona_clips() -> list[tuple[Line, bytes]]:
    """Every persona's every sentence, about two seconds of work.

    By several processes, because in each espeak-ng can speak but one at a time. Call it before there are threads.
    """
    start = "fork" if sys.platform == "linux" else "spawn"
    with ProcessPoolExecutor(4, mp_context=get_context(start)) as pool:
        return list(pool.map(clip_of, known_lines(), chunksize=6))
