"""JSON Lines files, plain or gzipped: one record a line, read as `decide` reads records."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from engine.errors import FieldProblem, InputError, shown
from engine.formats import Broken, RecordChunk, format_of

LINE_MOST = 16 << 20
TEXT_SHOWN = 2_000


class JsonSource:
    """A JSON Lines file to read; blank lines are passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.columns: pa.Schema | None = None
        self.total: int | None = None

    def chunks(self, rows: int) -> Iterator[RecordChunk]:
        number = 0
        try:
            with open_bytes(self._path, "rb") as file:
                records: list[dict[str, Any]] = []
                numbers: list[int] = []
                broken: list[Broken] = []
                while line := file.readline(LINE_MOST):
                    if not line.strip():
                        continue
                    if len(line) == LINE_MOST:
                        raise InputError(f"{self._path}: row {number} is longer than {LINE_MOST} bytes")
                    record = _record(line)
                    if number == 0 and isinstance(record, str) and line.lstrip()[:1] == b"[":
                        raise InputError(
                            f"{self._path}:1: a JSON list; write one record a line, without [ and ]"
                        )
                    if isinstance(record, dict):
                        records.append(record)
                        numbers.append(number)
                    else:
                        problem = FieldProblem("", record)
                        broken.append(Broken(number, (problem,), line[:TEXT_SHOWN].decode(errors="replace")))
                    number += 1
                    if len(records) + len(broken) >= rows:
                        yield RecordChunk(records, np.array(numbers, dtype=np.int64), tuple(broken))
                        records, numbers, broken = [], [], []
                if records or broken:
                    yield RecordChunk(records, np.array(numbers, dtype=np.int64), tuple(broken))
        except (OSError, EOFError) as error:
            raise InputError(f"{self._path} cannot be read after row {number}: {error}") from None
        if number == 0:
            raise InputError(f"{self._path} is empty")


class JsonTarget:
    """A JSON Lines file to write: one object a row."""

    def __init__(self, path: Path, *, gzipped: bool) -> None:
        self._file: IO[bytes] = open_bytes(path, "wb", gzipped=gzipped)

    def write(self, rows: pa.RecordBatch | list[dict[str, Any]]) -> None:
        records = rows if isinstance(rows, list) else rows.to_pylist()
        self._file.write(b"".join(line_of(record) for record in records))

    def close(self) -> None:
        self._file.close()

    abandon = close


def open_bytes(path: Path, mode: str, *, gzipped: bool | None = None) -> IO[bytes]:
    """Open a file for bytes, through gzip where it is gzipped (by its name, if not said)."""
    if format_of(path)[1] if gzipped is None else gzipped:
        return gzip.open(path, mode, compresslevel=5)  # type: ignore[return-value]
    return path.open(mode)


def line_of(record: dict[str, Any]) -> bytes:
    """Write a record as one line of JSON: moments as ISO 8601, what JSON cannot hold as text or null."""
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        text = json.dumps(_without_nan(record), ensure_ascii=False, allow_nan=False, default=_plain)
    return text.encode(errors="replace") + b"\n"


def _record(line: bytes) -> dict[str, Any] | str:
    """Read one line: a record, or what is wrong with it."""
    try:
        record = json.loads(line, object_pairs_hook=_object)
    except UnicodeDecodeError:
        return "not valid UTF-8"
    except _Twice as twice:
        return f"the key {twice} stands twice: which of its values is meant is not for us to guess"
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return record if isinstance(record, dict) else f"a JSON {_KINDS[type(record)]}, not an object"


class _Twice(Exception):
    """A key stands twice in one object."""


_KINDS = {
    list: "list",
    str: "string",
    int: "number",
    float: "number",
    bool: "truth value",
    type(None): "null",
}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Twice(shown(next(key for key in keys if keys.count(key) > 1)))
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if abs(value) <= 1.7976931348623157e308 else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list) else value
