"""The context of a component call: a sink for progress, log lines and coverage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from waivern.errors import ComponentError
from waivern.message import Json
from waivern.plugins.inputs import InputItem
from waivern.plugins.module_folders import ModuleFolders
from waivern.plugins.tally import Coverage, Progress, SampledItem, amount, sizes_in_values

if TYPE_CHECKING:  # creating a Protocol is slow, and most components need none
    import logging
    from typing import Protocol

    from waivern.record_stream import RecordStream

    class ItemRecorder(Protocol):
        """The results of a call item by item, some of them from earlier runs."""

        def each(
            self,
            ctx: Context,
            items: Iterable[InputItem],
            work: Callable[[InputItem], Iterable[Json]],
        ) -> Iterator[list[Json]]:
            """Yield the records of each item, in order."""
            ...

        def finish(self, content: Json, records: RecordStream | None) -> RecordStream | None:
            """Return the index of the items; None if there is none."""
            ...

        def document(self) -> dict[str, Json] | None:
            """Return the numbers of items for the journal; None if there were none."""
            ...


T = TypeVar("T")
_NOTHING = object()


class SharedResults:
    """Results that several calls share. Thread-safe; a call that hangs blocks its key only."""

    def __init__(self) -> None:
        self._results: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, threading.RLock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the result of `make` for this key; an error is raised and not stored."""
        result: T = self._results.get(key, _NOTHING)
        if result is _NOTHING:
            with self._lock:
                lock = self._locks.setdefault(key, threading.RLock())
            with lock:  # one lock a key: to compute one result does not block the others
                if key not in self._results:
                    self._results[key] = make()
                result = self._results[key]
        return result


LONGEST = 4000
"""The maximal number of characters of a name or a reason; the rest is cut off."""


class Context:
    """The argument `ctx` of every component call.

    `base` is the folder that relative paths of the runbook start from; `emit_log` and
    `emit_progress` take log lines and progress, from any thread; `resume_data` is the data that a
    component that raised Suspend was waiting for, empty on a first call; `memo` is shared by the
    calls of an attempt. `store_folder` is the folder of the runs, if there is one: its files change
    while they are read, and are not sources. `imports` has the modules of the user's folders.
    `redact` replaces secrets in what the component reports. `service` returns a service by name.
    """

    def __init__(
        self,
        artifact: str,
        base: Path,
        emit_log: Callable[[str], None] = lambda _line: None,
        emit_progress: Callable[[Progress], None] = lambda _progress: None,
        resume_data: Mapping[str, Json] = MappingProxyType({}),
        memo: SharedResults | None = None,
        store_folder: Path | None = None,
        imports: ModuleFolders | None = None,
        redact: Callable[[str], str] = str,
        service: Callable[[str], Any] | None = None,
    ) -> None:
        self.artifact = artifact
        self.store_folder = store_folder
        self.base = base
        self.resume_data = dict(resume_data)
        self.coverage = Coverage()
        self._emit_log = emit_log
        self._emit_progress = emit_progress
        self._memo = memo or SharedResults()
        self.imports = imports or self._memo.get("imports", ModuleFolders)
        self._redact = redact
        self._service = service
        self.item_results: ItemRecorder | None = None
        """The results item by item, once the component goes through items."""
        self.open_item_results: Callable[[], ItemRecorder] | None = None
        """Returns what has the results of earlier runs; None if nothing is taken from them."""
        self.holds_source = False
        """Whether the component says that its content has content of a source in it."""
        self.missed = 0
        """The items of the inputs that could not be read again from their source."""

    @cached_property
    def delivered(self) -> Coverage:
        """The listed items of the inputs that the component got as a whole."""
        return Coverage()

    @cached_property
    def log(self) -> logging.Logger:
        """A logger of this artifact alone, which writes to the artifact's log."""
        from waivern.plugins.log import forwarding  # most components log nothing

        return forwarding(self.artifact, self._emit_log)

    def say(self, line: str) -> None:
        """Append a line to the artifact's log, as `log.info` does, at a hundredth of its cost."""
        self._emit_log(f"INFO {line}")

    def path(self, text: str) -> Path:
        """Return a path of the runbook: absolute as it is, otherwise from the runbook's folder.

        Raises ComponentError for a text that cannot be a path.
        """
        if "\0" in text:
            raise ComponentError(f"not a path: {text!r}", hint="a path cannot hold a NUL")
        try:
            return self.base / Path(text).expanduser()
        except RuntimeError as error:  # '~name' of an unknown user
            raise ComponentError(f"not a path: {text!r}: {error}") from error

    def service(self, name: str) -> Any:
        """Return the installed service of this name; all calls of a run share it.

        Raises ComponentError if there is none. A component that declares the name in `requires` is
        not called without it.
        """
        if self._service is None:
            raise ComponentError(f"the service {name!r} is not available here")
        return self._service(name)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the result of `make`, which is called once an attempt for all calls with this key.

        For results that are expensive and shared by many artifacts: a file of code, a connection.
        Other calls wait meanwhile. Begin the key with the component's name.
        """
        return self._memo.get(key, make)

    def each_item(
        self, items: Iterable[InputItem], work: Callable[[InputItem], Iterable[Json]]
    ) -> Iterator[list[Json]]:
        """Yield the records that `work` returns for each item, in the order of the items.

        They may depend on nothing but the item, the properties and the rulesets: for an item with
        the digest that it had in an earlier run, the records of that run are yielded instead, and
        its coverage is reported again. What `work` reports to this context belongs to its item.
        """
        if self.item_results is None and self.open_item_results is not None:
            self.item_results = self.open_item_results()
        if self.item_results is not None:
            yield from self.item_results.each(self, items, work)
        else:
            for item in items:
                yield list(work(item))

    def progress(
        self,
        n: int,
        total: int | None = None,
        *,
        size: int | None = None,
        total_size: int | None = None,
        found: int | None = None,
    ) -> None:
        """Report that `n` of `total` items, `size` of `total_size` bytes, are done.

        `found` is the number of findings so far. What is not known is None. `each_item` reports
        progress itself.
        """
        self._emit_progress(Progress(n, total, size, total_size, found))

    def redact(self, text: str) -> str:
        """Return the text with each secret replaced by its name, so that it may reach a file."""
        return self._redact(str(text))

    def read(
        self,
        count: int = 1,
        *,
        size: int | None = None,
        rows: int | None = None,
        values: int | None = None,
        of: str | None = None,
        encoding: str | None = None,
    ) -> None:
        """Count items that were examined, and their size in bytes, rows or values.

        `of` is the key of the input that they belong to, `encoding` that of their text.
        `read(0, size=0)` reports an empty source that is measured in bytes. Raises ComponentError
        for an invalid count.
        """
        self.coverage.read += amount(count)
        if encoding is not None:
            self.coverage.encodings[self.redact(encoding)[:LONGEST]] += count
        self.coverage.count(count, _sizes(size, rows, values), of, examined=True)

    def skipped(
        self,
        item: str,
        reason: str,
        count: int = 1,
        *,
        size: int | None = None,
        rows: int | None = None,
        values: int | None = None,
        of: str | None = None,
    ) -> None:
        """Record an item that was not examined, and the reason ('binary', 'too large', 'denied').

        `count` is more than 1 where one name represents many items: a folder for its files. Raises
        ComponentError for an invalid count.
        """
        self._note_skipped(item, reason, count, _sizes(size, rows, values), of)

    def left_out(self, item: str, reason: str, count: int = 1) -> None:
        """Record an item that was not examined because the properties exclude it ('excluded').

        It is skipped like any other, but does not lower the coverage of the source.
        """
        self._skip(item, reason, count)
        self.coverage.left_out[self.redact(reason)[:LONGEST]] += count

    def sampled(self, item: str, read: int, total: int | None, *, seed: int | None = None) -> None:
        """Record an item of which only the first `read` of `total` parts were examined.

        With a `seed`, they were drawn at random, each subset being equally likely. `total` is None
        if it is not known. The parts are rows; do not count them in `read(rows=...)` as well.
        Raises ComponentError for an invalid count.
        """
        total = None if total is None else amount(total)
        seed = None if seed is None else amount(seed)
        self.coverage.sampled.append(SampledItem(self.redact(item), amount(read), total, seed))

    def unmatched(self, pattern: str) -> None:
        """Record a pattern of the properties that matches nothing: it may be misspelt."""
        self.coverage.unmatched.append(self.redact(pattern))

    def found(self, item: str, rows: int, *, of: str) -> None:
        """Record how many of the rows of an item, from the input `of`, hold a finding.

        The bound for the rows outside a sample is calculated from it.
        """
        entry = {"item": self.redact(item), "found": amount(rows), "input": of}
        self.coverage.found.append(entry)

    def planted(
        self,
        form: str,
        count: int,
        *,
        missed: Mapping[str, int] = MappingProxyType({}),
        unproven: Iterable[str] = (),
    ) -> None:
        """Record that a detector was given `count` samples in one form of source, to prove itself.

        `missed` has the number of those that it did not find, by type; `unproven` are the types
        that there is no sample of. The samples themselves must reach neither the content nor a log.
        """
        missing = {self.redact(kind)[:LONGEST]: amount(n) for kind, n in missed.items() if n}
        self.coverage.plant(self.redact(form)[:LONGEST], amount(count), missing)
        self.coverage.unproven.update(self.redact(kind)[:LONGEST] for kind in unproven)

    def note_delivered(self, entry: Mapping[str, Json], of: str) -> None:
        """Count a listed item whose data, or earlier results, the component got as a whole."""
        self.delivered.read += 1
        sizes = {"bytes": entry.get("size"), "rows": entry.get("rows")}
        self.delivered.count(1, sizes_in_values(entry, sizes), of, examined=True)

    def _note_skipped(
        self, item: str, reason: str, count: int, sizes: dict[str, int | None], of: str | None
    ) -> None:
        """Record what `skipped` reports, with its sizes by unit."""
        self._skip(item, reason, count)
        self.coverage.count(count, sizes, of, examined=False)

    def _skip(self, item: str, reason: str, count: int) -> None:
        item, reason = self.redact(item)[:LONGEST], self.redact(reason)[:LONGEST]
        self.coverage.skipped.append((item, reason, amount(count)))


def _sizes(size: int | None, rows: int | None, values: int | None) -> dict[str, int | None]:
    return {"bytes": size, "rows": rows, "values": values}
