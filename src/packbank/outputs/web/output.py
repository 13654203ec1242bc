"""The web output: hands each snapshot to a server in a thread of its own, and starts another when that one fails."""

from __future__ import annotations

import logging

from packbank.config.model import WebConfig
from packbank.config.values import split_listen
from packbank.errors import ConfigError
from packbank.model.snapshot import Snapshot
from packbank.outputs.web.history import History, Ring

try:
    from packbank.outputs.web.server import Server
except ImportError as missing:
    raise ConfigError("[web] needs h11: pip install 'packbank[web]', or remove that section") from missing
from packbank.outputs.web.site import Site

CLOSE_TIMEOUT = 1.0  # s for the thread to end

log = logging.getLogger(__name__)


class WebOutput:
    """Shows the bank on a web page. It never makes its caller wait."""

    name = "web"

    def __init__(self, config: WebConfig, history: History | None = None) -> None:
        """``history`` is where charts come from; None: a day in memory, from now on."""
        self._config = config
        self._history = history
        self._site: Site | None = None
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """Where it listens; 0 while it does not."""
        return self._server.port if self._server else 0

    def show(self, snapshot: Snapshot) -> None:
        """Give the newest snapshot to who asks for it. Raises LinkError when nobody can, or what ended the server."""
        if self._history is None:
            self._history = Ring(len(snapshot.places))
        if self._site is None:
            self._site = Site(snapshot, self._history, self._config.hosts)
        self._site.give(snapshot)
        if self._server is None:
            self._server = Server(self.name, self._site, split_listen(self._config.listen))
            log.info("web: the page is at http://%s/", self._config.listen)
        server = self._server
        if server.error is not None:
            self.close()
            raise server.error
        if server.streams or snapshot.time >= self._history.due:
            server.wake()

    def close(self) -> None:
        """Hang up on everybody."""
        server, self._server = self._server, None
        if server is not None:
            server.close(CLOSE_TIMEOUT)
