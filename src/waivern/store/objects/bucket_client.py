"""The bucket port over obstore: one client for S3, Google Cloud Storage and Azure.

Each request is tried a few times, with pauses that grow and vary. The retries are ours, not those
of the client: it does not repeat a conditional request, and its time limit is three minutes.
"""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from waivern.errors import UsageError
from waivern.store.objects.bucket import Bucket, BucketEntry

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")
TRIES = 6
PAUSE_S = 0.1
"""The longest first pause before a request is repeated; each next one may be twice as long."""
REQUEST_S = 30
CONNECT_S = 5
OPTIONS = {"s3": ("endpoint", "region"), "gs": ("endpoint",), "az": ("endpoint", "account")}
"""The parameters that a URL may have, by scheme."""
LIST_PAGE = 1000


class BucketClient(Bucket):
    """The objects below a prefix of a bucket, through a client of obstore."""

    def __init__(self, client: ObjectStore, url: str, prefix: str = "") -> None:
        import obstore  # the extra `object`

        self.url = url
        self._client: Any = client
        self._api: Any = obstore
        self._prefix = f"{prefix}/" if prefix else ""

    def put(self, key: str, data: bytes) -> None:
        self._try(lambda: self._put(key, data, "overwrite"), "writing")

    def create(self, key: str, data: bytes) -> None:
        self._try(lambda: self._put(key, data, "create"), "writing")

    def _put(self, key: str, data: bytes, mode: str) -> None:
        # in one request whatever its size: only that can depend on a condition
        self._api.put(self._client, self._prefix + key, data, mode=mode, use_multipart=False)

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        if size == 0:
            return b""
        options = {"range": (start, start + size)} if size is not None else None

        def read() -> bytes:
            found = self._api.get(self._client, self._prefix + key, options=options)
            return bytes(found.bytes())

        return self._try(read, "reading")

    def changed_ns(self, key: str) -> int:
        found = self._try(lambda: self._api.head(self._client, self._prefix + key), "reading")
        return _nanoseconds(found)

    def list(self, prefix: str, after: str = "") -> Iterator[BucketEntry]:
        def read() -> list[Any]:
            options = {"prefix": self._prefix + prefix, "chunk_size": LIST_PAGE}
            if after:
                options["offset"] = self._prefix + after
            return [each for page in self._api.list(self._client, **options) for each in page]

        found = self._try(read, "listing")
        # some servers (Azurite) ignore where to start, and a client in memory any order
        for each in sorted(found, key=lambda each: str(each["path"])):
            key = each["path"].removeprefix(self._prefix)
            if key > after:
                yield BucketEntry(key, each["size"], _nanoseconds(each))

    def delete(self, keys: Iterable[str]) -> None:
        doomed = [self._prefix + key for key in keys]
        if doomed:
            try:
                self._try(lambda: self._api.delete(self._client, doomed), "deleting")
            except FileNotFoundError:  # some servers report what others pass over
                for key in doomed:
                    self._delete_one(key)

    def _delete_one(self, key: str) -> None:
        try:
            self._try(lambda: self._api.delete(self._client, key), "deleting")
        except FileNotFoundError:
            return

    def _try(self, request: Callable[[], T], action: str) -> T:
        """Carry out a request, repeating it while it fails in a way that may pass."""
        from obstore import exceptions

        final = (
            exceptions.PermissionDeniedError,
            exceptions.UnauthenticatedError,
            exceptions.InvalidPathError,
            exceptions.NotSupportedError,
            exceptions.UnknownConfigurationKeyError,
        )
        for left in reversed(range(TRIES)):
            try:
                return request()
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as error:
                raise FileExistsError(errno.EEXIST, "there is such an object") from error
            except FileNotFoundError as error:
                if action in ("reading", "deleting"):
                    raise
                raise OSError(errno.EIO, f"{action} failed: there is no such bucket") from error
            except final as error:
                raise OSError(errno.EIO, f"{action} failed: {_first_line(error)}") from error
            except (exceptions.BaseError, OSError) as error:
                if not left:
                    text = f"{action} failed {TRIES} times: {_first_line(error)}"
                    raise OSError(errno.EIO, text) from error
                pause = PAUSE_S * 2 ** (TRIES - 1 - left)
                time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - no secret
        raise AssertionError("unreachable")


def _nanoseconds(found: Any) -> int:
    return int(found["last_modified"].timestamp() * 1_000_000) * 1000


def _first_line(error: BaseException) -> str:
    """Return the fact of an error of obstore, without the dump of its source."""
    return str(error).partition("\n")[0][:300]


def open_bucket(url: str) -> BucketClient:
    """Return the bucket at a URL; no request is made yet. Raises UsageError."""
    scheme, name, prefix, options = parse_url(url)
    try:
        from obstore import exceptions, store
    except ImportError as error:
        raise UsageError(
            f"a store at '{scheme}:' needs the package obstore",
            hint="install it with `pip install 'waivern[object]'`",
        ) from error
    settings: dict[str, Any] = {
        "retry_config": {"max_retries": 0},
        "client_options": {
            "timeout": f"{REQUEST_S}s",
            "connect_timeout": f"{CONNECT_S}s",
            "allow_http": options.get("endpoint", "").startswith("http://"),
        },
        **_CONFIGURED[scheme](options),
    }
    kinds = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
    try:
        client = kinds[scheme](name, **settings)
    except (exceptions.BaseError, ValueError) as error:
        raise UsageError(
            f"the store at {url} cannot be opened: {_first_line(error)}",
            hint="docs/how-to/keep-runs-in-a-bucket.md describes the credentials it needs",
        ) from error
    return BucketClient(client, url, prefix)


def _of_s3(options: dict[str, str]) -> dict[str, Any]:
    if "endpoint" not in options:
        return {**options}
    # not every server that speaks the protocol has names of buckets in host names, or bulk deletes
    return {
        "region": "us-east-1",
        **options,
        "virtual_hosted_style_request": False,
        "disable_bulk_delete": "true",
    }


def _of_google(options: dict[str, str]) -> dict[str, Any]:
    return {"base_url": options["endpoint"]} if options else {}


def _of_azure(options: dict[str, str]) -> dict[str, Any]:
    names = {"account": "account_name", "endpoint": "endpoint"}
    return {names[option]: value for option, value in options.items()}


_CONFIGURED: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
    "s3": _of_s3,
    "gs": _of_google,
    "az": _of_azure,
}


def parse_url(url: str) -> tuple[str, str, str, dict[str, str]]:
    """Return scheme, bucket, prefix and parameters of a URL.

    Raises UsageError, whose text does not repeat what may be a secret.
    """
    scheme = url.partition(":")[0]
    form = f"{scheme}://BUCKET/PREFIX" + "".join(
        f"{'&' if n else '?'}{name}=…" for n, name in enumerate(OPTIONS[scheme])
    )
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise UsageError(f"not a URL of a bucket; the form is {form}") from None
    if "@" in parts.netloc or ":" in parts.netloc:
        raise UsageError(
            f"a URL of '{scheme}:' has no credentials and no port; the form is {form}",
            hint="set the credentials in the environment: "
            "docs/how-to/keep-runs-in-a-bucket.md lists the variables",
        )
    options = dict(pairs)
    unknown = [name for name in options if name not in OPTIONS[scheme]]
    if unknown or len(pairs) != len(options) or parts.fragment:
        raise UsageError(
            f"a URL of '{scheme}:' has other parameters than those that it may have; "
            f"the form is {form}",
            hint="credentials belong in the environment, not in the URL",
        )
    prefix = parts.path.strip("/")
    if not parts.netloc or any(each in ("", ".", "..") for each in prefix.split("/") if prefix):
        raise UsageError(f"the URL names no bucket, or an odd prefix; the form is {form}")
    if "@" in options.get("endpoint", ""):
        raise UsageError(
            "the endpoint of a bucket has no credentials",
            hint="set them in the environment",
        )
    return scheme, parts.netloc, prefix, options
