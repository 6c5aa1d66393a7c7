"""What recording costs: a pair of frames on the event loop and in the writer's thread, and the file at the end."""

import argparse
import gc
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.calls.bridge.spooling import SpoolWriter
from apps.calls.media.frames import Audio
from apps.calls.media.mixing import mix
from apps.calls.media.spool import SpoolHead

FRAMES_PER_S = 50


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks recording")
    parser.add_argument("--minutes", type=int, default=10, help="length of the call")
    n = parser.parse_args(list(arguments)).minutes * 60 * FRAMES_PER_S
    rng = np.random.default_rng(1)
    sound = [Audio.of(rng.integers(0, 256, 160, np.uint8).tobytes()) for _ in range(500)]
    with tempfile.TemporaryDirectory() as folder:
        writer = SpoolWriter(Path(folder), on_begun=lambda head: None, on_finished=lambda path: None)
        head = SpoolHead(1, 1, "bench", 0, "2026-11-02T10:00:00+00:00")
        recorder = writer.open(head, lambda kind, data: None)
        loop_s = writer_s = 0.0
        gc.disable()
        for second in range(n // FRAMES_PER_S):
            began = time.thread_time()
            for i in range(FRAMES_PER_S):
                at_ms = second * 1000 + i * 20
                recorder.caller(sound[i], at_ms)
                recorder.ai(sound[-i], at_ms + 500)
            middle = time.thread_time()
            writer.write_gathered()
            writer_s += time.thread_time() - middle
            loop_s += middle - began
        gc.enable()
        spool = next(Path(folder).glob("*.spool"))
        began = time.thread_time()
        mixed = mix(spool, Path(folder) / "bench.wav")
        mix_s = time.thread_time() - began
    call_s = n / FRAMES_PER_S
    print(f"recording a call of {call_s / 60:.0f} minutes, {mixed.size / 1e6:.1f} MB:")
    print(f"  event loop     {loop_s / n * 1e6:6.2f} µs per pair of frames")
    print(f"  writer thread  {writer_s / n * 1e6:6.2f} µs per pair of frames")
    print(f"  file at end    {mix_s / n * 1e6:6.2f} µs per pair of frames, {mix_s:.2f} s in all")
    print(f"  together       {(loop_s + writer_s + mix_s) / call_s * 1000:6.2f} ms CPU per call-second")
    return 0
