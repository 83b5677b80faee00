"""manifest.json: every file of a bundle with its size and sha256, and one hash for the answers.

The file is written in one canonical form and carries a hash of itself, so that any change of any
byte is found. (Against a person who changes a file and the manifest, sign the folder.)
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from takeroot.bundle.spec import Spec
from takeroot.errors import BundleError

MANIFEST = "manifest.json"
SPEC = "bundle.json"
MANIFEST_FORMAT = 1

MAX_FILES = 256
MIB = 1 << 20
_CAPS = {  # bytes a file may have, by its name's end; a model file is bound by ONNX itself
    ".json": 256 * MIB,
    ".safetensors": 64 * 1024 * MIB,
    ".onnx": 2048 * MIB - 1,
    ".bin": 64 * 1024 * MIB,
    ".html": 64 * MIB,
    ".md": 16 * MIB,
    ".txt": 64 * MIB,
}
_PLACES = re.compile(
    r"(bundle|tokenizer|features)\.json|(linear|reference)\.safetensors|model\.onnx"
    r"|model\.bin|(config|vocabulary|shared_vocabulary)\.json"
    r"|report\.html|card\.md"
    r"|weights/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.(safetensors|json|txt)"
    r"|evidence/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.json"
)
_BESIDE = ("evidence/", "weights/", "report.html", "card.md")  # they change no answer

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileEntry(_Closed):
    """One file of the bundle."""

    path: str
    size: int = Field(ge=0)
    sha256: Sha256


class Manifest(_Closed):
    """What manifest.json says."""

    format: int
    name: str
    created: str = Field(max_length=64)
    takeroot: str = Field(max_length=64)
    model_sha256: Sha256
    files: list[FileEntry] = Field(max_length=MAX_FILES)


def check_path(path: str) -> None:
    """Refuse a path that no bundle of this format has.

    Raises:
        BundleError: If it is unknown.
    """
    if not _PLACES.fullmatch(path):
        raise BundleError(
            f"{path!r}: not a file of a bundle; known: bundle.json, tokenizer.json, model.onnx, "
            "features.json, linear.safetensors, reference.safetensors, model.bin, config.json, "
            "vocabulary.json, shared_vocabulary.json, report.html, card.md, "
            "weights/*.safetensors|json|txt, evidence/*.json"
        )


def size_cap(path: str) -> int:
    """How many bytes the file may have."""
    return _CAPS["." + path.rsplit(".", 1)[-1]]


def model_sha256(spec: Spec, files: Sequence[FileEntry]) -> str:
    """One hash over all that determines answers.

    Evidence, weights for further training, report and card are left out, and so are ``pack_tokens``
    and ``mask``: the one is chosen by measuring time, the other says what a server may keep, and
    neither changes an answer. The same seed gives the same hash.
    """
    hasher = hashlib.sha256()
    values = spec.model_dump(mode="json", exclude={"pack_tokens", "mask"})
    for younger in ("word_shapes", "generation"):  # than the first bundles, whose hashes stay
        if not values[younger]:
            del values[younger]
    hasher.update(json.dumps(values, sort_keys=True).encode())
    for file in sorted(files, key=lambda file: file.path):
        if file.path != SPEC and not file.path.startswith(_BESIDE):
            hasher.update(f"\n{file.path} {file.size} {file.sha256}".encode())
    return hasher.hexdigest()


def render_manifest(manifest: Manifest) -> bytes:
    """The bytes of manifest.json: canonical JSON with a hash of itself."""
    values = manifest.model_dump(mode="json")
    return canonical({**values, "sha256": hashlib.sha256(canonical(values)).hexdigest()})


def parse_manifest(data: bytes, where: str) -> Manifest:
    """The manifest in ``data``.

    Raises:
        BundleError: If it is not canonical, was changed, is of an unknown format or breaks the
            schema.
    """
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: not JSON: {error}") from error
    version = values.get("format") if isinstance(values, dict) else None
    if type(version) is not int or version != MANIFEST_FORMAT:
        raise BundleError(
            f"{where}: format {version!r} is unknown; this version reads {MANIFEST_FORMAT}"
        )
    own = values.pop("sha256", None)
    if data != canonical({**values, "sha256": own}):
        raise BundleError(f"{where}: was changed after the bundle was written (form differs)")
    if own != hashlib.sha256(canonical(values)).hexdigest():
        raise BundleError(f"{where}: was changed after the bundle was written (sha256 differs)")
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{where}: {key}: {first['msg']}, got {first['input']!r:.80}") from error


def canonical(values: Any) -> bytes:
    """JSON in the one form bundles use: sorted keys, indented by one, UTF-8, newline at the end."""
    text = json.dumps(values, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()
