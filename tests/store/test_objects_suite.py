"""Stores in a bucket pass the conformance suite that authors of stores run."""

from __future__ import annotations

from pathlib import Path

from waivern.store.backend_store import BackendStore
from waivern.store.base import RunStore
from waivern.store.objects.bucket_backend import BucketBackend
from waivern.testing.buckets import MemoryBucket
from waivern.testing.stores import StoreConformance


class TestStoreInMemoryBucket(StoreConformance):
    def open_store(self, folder: Path) -> RunStore:
        return BackendStore(BucketBackend(MemoryBucket()))

    def open_again(self, store: RunStore) -> RunStore:
        assert isinstance(store, BackendStore)
        backend = store._at.backend
        assert isinstance(backend, BucketBackend)
        return BackendStore(BucketBackend(backend.bucket))
