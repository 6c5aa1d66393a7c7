"""Prometheus metrics of recordings."""

from prometheus_client import Counter, Gauge, Histogram

WAITING = Gauge(
    "callcentre_recording_frames_waiting", "Frames of sound not yet on the disk.", multiprocess_mode="livesum"
)
FRAMES_LOST = Counter(
    "callcentre_recording_frames_lost_total", "Frames of sound left out of recordings: the disk did not keep up."
)
KEPT = Counter("callcentre_recordings_kept_total", "Streams whose recording is in the storage.")
FAILED = Counter(
    "callcentre_recordings_failed_total", "Streams whose recording could not be written or stored.", ["why"]
)
KEEP_SECONDS = Histogram(
    "callcentre_recording_keep_seconds",
    "From the end of a stream to its recording in the storage.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
