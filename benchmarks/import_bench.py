"""How long an import takes beside its two unavoidable parts alone, and how much memory.

    python -m benchmarks import [--rows 1000000]

Bare: ``COPY`` of the same contacts into the same table with its indexes, plus ``phonenumbers.parse`` of each number.
The import: the task itself, from the file on disk to the finished job. Each in a process of its own, in the same run.
Needs DATABASE_URL, REDIS_URL and a migrated database; everything it writes is taken out again.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_NAMES = ("Olivia", "James", "Lucía", "Javier", "Tereza", "Jakub", "Noah", "Elena")
_SURNAMES = ("Bennett", "Ortega", "Horáková", "Dvořák", "Fletcher", "Navarro", "Veselý", "Carter")
_TARGET = 1.5
_TARGET_MB = 300


def write_file(path: Path, n: int) -> None:
    """n people: seven of ten in the United States, one each in Spain, Czechia and Britain; all numbers exist."""
    areas = ("212", "213", "312", "404", "512", "617", "702", "808", "907", "305")
    with path.open("w", encoding="utf-8") as file:
        file.write("phone;first name;last name;e-mail;language;consent;city\n")
        for i in range(n):
            kind, serial = i % 10, i // 10
            phone = (
                f"+1{areas[serial // 7_000_000 + kind]}{2_000_000 + serial % 7_000_000:07d}"
                if kind < 7
                else (f"+346{serial:08d}", f"+420601{serial:06d}", f"+447400{serial:06d}")[kind - 7]
            )
            name, surname = _NAMES[i % 8], _SURNAMES[i // 8 % 8]
            file.write(f"{phone};{name};{surname};person{i}@example.com;es;written;Springfield\n")


def parse_all(path: Path, _list_id: int) -> float:
    import phonenumbers

    with path.open(encoding="utf-8") as file:
        numbers = [line.split(";", 1)[0] for line in file][1:]
    phonenumbers.parse(numbers[0])
    started = time.perf_counter()
    for number in numbers:
        phonenumbers.parse(number)
    return time.perf_counter() - started


def copy_all(path: Path, list_id: int) -> float:
    _set_up()
    from django.db import connection
    from django.utils import timezone

    now = timezone.now().isoformat()
    lines = []
    with path.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            phone, first, last, email, language, _, city = line.rstrip("\n").split(";")
            custom = json.dumps({"city": city})
            fixed = f"{list_id}\t{phone}\tUS\tAmerica/New_York\tnumber\t{language}"
            lines.append(f"{fixed}\t{first}\t{last}\t{email}\t{custom}\t{now}\n")
    blocks = ["".join(lines[at : at + 5000]).encode() for at in range(0, len(lines), 5000)]
    columns = (
        "contact_list_id,phone,country,time_zone,zone_source,language,first_name,last_name,email,fields,created_at"
    )
    started = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy(f"COPY contacts_contact ({columns}) FROM STDIN") as copy:
        for block in blocks:
            copy.write(block)
    return time.perf_counter() - started


def import_all(path: Path, list_id: int) -> float:
    _set_up()
    from django.core.files import File
    from django.utils import timezone

    from apps.contacts import imports
    from apps.contacts.models import ContactImport

    job = ContactImport(contact_list_id=list_id, file_name=path.name)
    with path.open("rb") as file:
        job.file.save("bench.csv", File(file), save=False)
    job.created_at = timezone.now()
    job.save()
    started = time.perf_counter()
    imports.run_import(job.pk)
    took = time.perf_counter() - started
    job.refresh_from_db()
    if job.state != "done" or job.n_rejected:
        raise SystemExit(f"the import went wrong: {job.state} {job.error_code} {job.reasons}")
    for kept in (job.file, job.report):
        kept.delete(save=False)
    return took


def _set_up() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    django.setup()


def _run(work: Callable[[Path, int], float], path: Path, list_id: int, results: Any) -> None:
    results.put((work(path, list_id), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


def _in_a_process(work: Callable[[Path, int], float], path: Path, list_id: int) -> tuple[float, float]:
    """Seconds, and the most memory the process had (MB)."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_run, args=(work, path, list_id, results))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{work.__name__} failed")
    seconds, kilobytes = results.get()
    return seconds, kilobytes / (1024 if sys.platform != "darwin" else 1024 * 1024)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    n = parser.parse_args(arguments).rows
    _set_up()
    from apps.contacts.models import Consent, Contact, ContactList

    def empty(contact_list: ContactList) -> None:
        Contact.objects.filter(contact_list=contact_list)._raw_delete("default")  # in one statement

    contact_list = ContactList.objects.create(name=f"Benchmark {time.time_ns()}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "contacts.csv"
        write_file(path, n)
        try:
            parse_s, _ = _in_a_process(parse_all, path, contact_list.pk)
            copy_s, _ = _in_a_process(copy_all, path, contact_list.pk)
            empty(contact_list)
            import_s, import_mb = _in_a_process(import_all, path, contact_list.pk)
        finally:
            Consent.objects.filter(source="contacts.csv")._raw_delete("default")
            empty(contact_list)
            contact_list.delete()
    bare_s = parse_s + copy_s
    write = sys.stdout.write
    write(f"{n} rows\n")
    write(f"  bare: COPY {copy_s:.1f} s + phonenumbers.parse {parse_s:.1f} s = {bare_s:.1f} s\n")
    write(f"  import: {import_s:.1f} s, {n / import_s:,.0f} rows/s, {import_mb:.0f} MB\n")
    write(f"  ratio {import_s / bare_s:.2f} (target {_TARGET}), memory target {_TARGET_MB} MB\n")
    return 0 if import_s <= bare_s * _TARGET and import_mb < _TARGET_MB else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
