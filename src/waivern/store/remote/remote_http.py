"""The store of a server: runs that begin, resume and are read on other computers."""

from __future__ import annotations

from waivern.store.backend_store import BackendStore
from waivern.store.remote.connection import checked_url
from waivern.store.remote.http_backend import HttpBackend
from waivern.store.store_values import AttemptAddress


class RemoteHttpStore(BackendStore):
    """A store that `wct serve` serves under `url`, `https://` or, on this computer, `http://`.

    Without `token`, it is the value of WAIVERN_STORE_TOKEN, or is in the file that
    WAIVERN_STORE_TOKEN_FILE names.
    """

    backend: HttpBackend

    def __init__(self, url: str, *, token: str | None = None) -> None:
        super().__init__(HttpBackend(checked_url(url), token))

    def attempt(self, run_id: str) -> AttemptAddress | None:
        lease = self._leases.get(run_id)
        if lease is None:
            return None
        return AttemptAddress(self.url, False, ".", run_id, lease.staging.name)

    async def aclose(self) -> None:
        await self._off_loop(self.backend.close)
