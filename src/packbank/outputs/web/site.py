"""What is where: the page's files, the bank as JSON, charts, metrics and the stream; each made once a snapshot."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from zlib import crc32

from packbank.model.catalogue import BANK, BUS, PACK, PACK_SETTINGS, Quantity
from packbank.model.snapshot import Snapshot
from packbank.outputs.json_lines import snapshot_dict
from packbank.outputs.web import metrics
from packbank.outputs.web.history import History
from packbank.outputs.web.hosts import own_names, welcome
from packbank.outputs.web.messages import EVENTS, JSON, Answer, RefusedError, Request
from packbank.outputs.web.view import View

PAGE = Path(__file__).with_name("page-files")  # a name that no package can have
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
HOUR = 3600.0  # s
MOST_EVENTS = 500  # in an answer, the newest
OLD = 5.0  # s; a snapshot comes each second
RETRY = b"retry: 2000\n\n"
_TABLES: dict[str, Iterable[Quantity[Any]]] = {"bank": BANK, "pack": PACK, "settings": PACK_SETTINGS, "bus": BUS}
Query = Mapping[str, str]


class Site:
    """Answers every request from the newest snapshot, which another thread gives; never from one that is old."""

    def __init__(self, newest: Snapshot, history: History, hosts: tuple[str, ...] = ()) -> None:
        """``hosts`` are more names under which the page may be asked for."""
        self.give(newest)
        self._history = history
        self._names = own_names(hosts)
        self._view = View()
        self._made: dict[tuple[str, str], Answer] = {}  # of the snapshot ``_made_of``
        self._made_of = 0
        self._files: dict[str, Answer] = {}
        self._routes: dict[str, Callable[[Query, Request], Answer]] = {
            "/api/snapshot": self._snapshot,
            "/api/history": self._series,
            "/api/events": self._events,
            "/api/keys": self._keys,
            "/metrics": self._metrics,
            "/events": lambda _query, _request: Answer(kind=EVENTS, stream=True),
        }

    def give(self, newest: Snapshot) -> None:
        """Answer from ``newest`` from now on. From any thread."""
        self.newest = newest
        self.given = time.monotonic()

    def answer(self, request: Request) -> Answer:
        """The answer to ``request``. Raises RefusedError."""
        self._admit(request)
        file = self._file(request.path)
        if file is not None:
            same = dict(file.headers)["ETag"] in request.headers.get("if-none-match", "")
            return Answer(b"", file.kind, HTTPStatus.NOT_MODIFIED, file.headers) if same else file
        route = self._routes.get(request.path)
        if route is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, f"there is nothing here; see /, {', '.join(self._routes)}")
        if (old := time.monotonic() - self.given) > OLD:
            text = f"packbank stands still: its newest values are {old:.0f} s old, so they are not shown"
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, text)
        return route(_query(request.query), request)

    def refresh(self) -> None:
        """Take the sample of the charts, if it is due."""
        self._history.add(self.newest)

    def message(self, seen: int) -> tuple[bytes, int]:
        """The message of the stream; see :class:`~packbank.outputs.web.server.Service`."""
        self._view.take(self.newest)
        return (b"" if seen else RETRY) + self._view.message(seen), self._view.number

    def _admit(self, request: Request) -> None:
        """Refuse what is not meant for us, or wants more than to look."""
        if not welcome(request.headers.get("host", ""), self._names):
            text = "this is not one of my names: ask by address, or add the name to HOSTS in [web] of config.ini"
            raise RefusedError(HTTPStatus.BAD_REQUEST, text)
        if request.method not in {"GET", "HEAD"}:
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "nothing can be changed here", ("Allow", "GET, HEAD"))
        foreign = request.headers.get("sec-fetch-site") == "cross-site"
        if foreign and request.headers.get("sec-fetch-mode") != "navigate":
            raise RefusedError(HTTPStatus.FORBIDDEN, "other pages may not read this one")

    def _file(self, path: str) -> Answer | None:
        """A file of the page; they are few and stay in memory once one was asked for."""
        if not self._files:
            for file in sorted(PAGE.iterdir()):
                body = file.read_bytes()
                # A checksum distinguishes two releases; hashlib would load OpenSSL's 4 MB for it.
                headers = (("Cache-Control", "no-cache"), ("ETag", f'"{len(body)}-{crc32(body):08x}"'))
                self._files[f"/{file.name}"] = Answer(body, KINDS[file.suffix], headers=headers)
            self._files["/"] = self._files["/index.html"]
        return self._files.get(path)

    def _once(self, what: str, which: str, make: Callable[[], Answer]) -> Answer:
        """``make()``, but once a snapshot, however many ask for it."""
        if self._made_of != self.newest.number:
            self._made.clear()
            self._made_of = self.newest.number
        if (what, which) not in self._made:
            self._made[what, which] = make()
        return self._made[what, which]

    def _snapshot(self, query: Query, _request: Request) -> Answer:
        pack = _pack(query, len(self.newest.places), {"pack"})

        def make() -> Answer:
            return _json(snapshot_dict(self.newest, settings=True, packs=None if pack is None else [pack]))

        return self._once("snapshot", str(pack), make)

    def _series(self, query: Query, _request: Request) -> Answer:
        pack = _pack(query, len(self.newest.places), {"pack", "hours"})
        hours = self._hours(query)

        def make() -> Answer:
            self._history.add(self.newest)
            series = self._history.series(pack, HOUR * hours, self.newest)
            values = {key: _rounded(series.values[key].tolist(), series.digits[key]) for key in series.values}
            times = _rounded(series.times.tolist(), 0)
            about = {"period": series.period, "wall": round(self.newest.wall), "longest": self._longest}
            return _json(about | {"times": times, "values": values})

        return self._once("history", f"{pack} {hours}", lambda: self._read(make))

    def _events(self, query: Query, _request: Request) -> Answer:
        _pack(query, 0, {"hours"})
        hours = self._hours(query)

        def make() -> Answer:
            events = self._history.events(HOUR * hours, self.newest)[-MOST_EVENTS:]
            return _json({"events": [event._asdict() for event in events], "longest": self._longest})

        return self._once("events", str(hours), lambda: self._read(make))

    @property
    def _longest(self) -> int:
        """Hours that the history goes back."""
        return int(self._history.longest / HOUR)

    def _hours(self, query: Query) -> int:
        """The hours that are asked for. Raises RefusedError."""
        hours = query.get("hours", "24")
        if not re.fullmatch("[1-9][0-9]{0,3}", hours):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "hours are 1 to 9999; what is kept of them is shown")
        return min(int(hours), self._longest)

    def _read(self, make: Callable[[], Answer]) -> Answer:
        """``make()``; a disk that fails is the reader's trouble only. Raises RefusedError."""
        try:
            return make()
        except OSError as error:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, f"the history cannot be read: {error}") from error

    def _keys(self, _query: Query, _request: Request) -> Answer:
        """What each key of the JSON means."""
        return self._once("keys", "", lambda: _json({name: _described(rows) for name, rows in _TABLES.items()}))

    def _metrics(self, query: Query, request: Request) -> Answer:
        if set(query) - {"cells"} or query.get("cells", "1") not in {"0", "1"}:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "write /metrics, or /metrics?cells=0 without the cells")
        cells, old = query.get("cells") != "0", "application/openmetrics-text" not in request.headers.get("accept", "")

        def make() -> Answer:
            text = metrics.exposition(self.newest, cells=cells, old=old)
            return Answer(text.encode(), metrics.OLD if old else metrics.OPEN)

        return self._once("metrics", f"{cells} {old}", make)


def _query(text: str) -> dict[str, str]:
    """What follows the question mark. Raises RefusedError."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=4)) if text else {}
    except ValueError:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "what follows the question mark is not KEY=VALUE") from None


def _pack(query: Query, packs: int, known: set[str]) -> int | None:
    """The index of the pack that is asked for, None for the bank. Raises RefusedError."""
    if strange := set(query) - known:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{min(strange)!r} means nothing here; known: {', '.join(known)}")
    number = query.get("pack")
    if number is None:
        return None
    if not re.fullmatch("[1-9][0-9]{0,4}", number) or int(number) > packs:
        raise RefusedError(HTTPStatus.NOT_FOUND, f"packs are numbered 1 to {packs}, in the order of the configuration")
    return int(number) - 1


def _described(rows: Iterable[Quantity[Any]]) -> list[tuple[str, str, str, int]]:
    """Key, title, unit and digits."""
    return [(row.key, row.title, row.unit.unit, row.unit.digits) for row in rows if row.key]


def _json(content: dict[str, Any]) -> Answer:
    return Answer(json.dumps(content, allow_nan=False).encode(), JSON)


def _rounded(values: list[float], digits: int) -> list[float | None]:
    return [round(value, digits) if math.isfinite(value) else None for value in values]
