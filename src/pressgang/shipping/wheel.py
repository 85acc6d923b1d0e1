"""An exported model as a wheel: data alone, under a name by which `find_model` finds it.

The layout is that of the binary distribution format (PEP 427); no build tool is needed. All models
lie side by side in the namespace `pressgang_models`, so that none is in the way of other packages.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from pressgang.files import atomic_path
from pressgang.model.artefact import MANIFEST, read_sealed
from pressgang.model.extractor import Extractor
from pressgang.model.folders import EXPORTED, GROUP
from pressgang.schema import Schema

_NAMESPACE = "pressgang_models"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build_wheel(folder: Path, output: Path, *, name: str, version: str) -> Path:
    """Write the exported model in `folder` as a wheel into the folder `output`; give back its path.

    The same model, name and version give the same bytes.

    Raises ValueError if the name (PEP 508) or the version (PEP 440) is none, or `folder` holds no
    export that can be loaded.
    """
    plain = _normal_name(name).replace("-", "_")
    release = str(_version(version))
    if not (folder / MANIFEST).is_file():
        raise ValueError(f"{folder}: no exported model here; `pressgang export` makes one")
    schema = Extractor.load(folder, device="cpu").schema
    sealed = dict(read_sealed(folder, EXPORTED).files)
    files = {MANIFEST: (folder / MANIFEST).read_bytes()} | sealed
    module = f"{_NAMESPACE}.{plain}"
    inside = {f"{_NAMESPACE}/{plain}/{file}": content for file, content in files.items()}
    texts = {
        "METADATA": _metadata(name, release, schema),
        "WHEEL": "Wheel-Version: 1.0\nGenerator: pressgang\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        "entry_points.txt": f"[{GROUP}]\n{name} = {module}\n",
    }
    about = f"{plain}-{release}.dist-info"
    inside |= {f"{about}/{file}": text.encode() for file, text in texts.items()}
    inside[f"{about}/RECORD"] = _record(inside, f"{about}/RECORD").encode()
    wheel = output / f"{plain}-{release}-py3-none-any.whl"
    with atomic_path(wheel) as draft:
        _zip(inside, draft)
    return wheel


def _normal_name(name: str) -> str:
    """The name as indexes and installers compare it: `My.Model` is `my-model`."""
    try:
        normal = canonicalize_name(name, validate=True)
    except InvalidName:
        normal = None
    if normal is None or not name.isascii() or not name.isprintable():
        raise ValueError(
            f"name {name!r}: no name of a package; expected letters and digits, and between them "
            "'.', '-' or '_'"
        )
    if normal == "pressgang":
        raise ValueError(f"name {name!r}: is this package's own; choose another")
    return normal


def _version(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        raise ValueError(
            f"version {version!r}: no version of a package; expected one such as 1.0.2 or 2.0rc1"
        ) from None


def _metadata(name: str, release: str, schema: Schema) -> str:
    own = importlib.metadata.version("pressgang")
    n_labels, n_relations = len(schema.entity_labels), len(schema.relation_labels)
    return (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n"
        f"Summary: pressgang model: {n_labels} entity labels, {n_relations} relations\n"
        f"Requires-Python: >=3.11\nRequires-Dist: pressgang>={own}\n\n"
        f"Entity labels: {', '.join(schema.entity_labels)}\n\n"
        f"Relations: {', '.join(schema.relation_labels)}\n"
    )


def _record(files: Mapping[str, bytes], own: str) -> str:
    """The list of all files with hash and size; of itself the name alone."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow([name, f"sha256={digest}", len(content)])
    rows.writerow([own, "", ""])
    return text.getvalue()


def _zip(files: Mapping[str, bytes], path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
