"""Model bundles in the store bucket."""

from modelmill.aws.layout import bundle_prefix
from modelmill.aws.s3 import Bucket
from modelmill.models.manifest import MANIFEST_FILE, Manifest


class StoredBundles:
    """Implements `models.registry.BundleFiles`."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def manifest(self, tenant: str, model: str, version: int) -> Manifest:
        """See `BundleFiles`."""
        return Manifest.from_json(self.read(tenant, model, version, MANIFEST_FILE))

    def read(self, tenant: str, model: str, version: int, name: str) -> bytes:
        """See `BundleFiles`."""
        return self._bucket.read(bundle_prefix(tenant, model, version) + name)

    def link(self, tenant: str, model: str, version: int, name: str, seconds: int) -> str:
        """See `BundleFiles`."""
        return self._bucket.link(bundle_prefix(tenant, model, version) + name, seconds)

    def delete(self, tenant: str, model: str, version: int | None = None) -> None:
        """See `BundleFiles`."""
        self._bucket.delete_all(bundle_prefix(tenant, model, version) if version else f"models/{tenant}/{model}/")
