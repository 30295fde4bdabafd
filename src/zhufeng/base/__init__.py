"""What every room stands on: errors, durable files, artifacts, progress, seeds, the cache.

Knows nothing of training or of chips, and imports neither.
"""

from zhufeng.base._artifacts import (
    MANIFEST,
    DamagedError,
    Draft,
    Manifest,
    Spec,
    damage,
    differences,
    find,
    make,
    read_manifest,
    standing,
)
from zhufeng.base._cache import cache_folder, cache_root
from zhufeng.base._code import call_named, code_of, load_named
from zhufeng.base._errors import InputError, MissingExtraError, needs_extra, printable
from zhufeng.base._files import (
    UNFINISHED,
    durable,
    exclusive,
    files_below,
    sync_folder,
    write_durable,
)
from zhufeng.base._hashing import canonical_json, sha256_file, sha256_json
from zhufeng.base._iterate import batched
from zhufeng.base._lazy import lazy_names
from zhufeng.base._progress import track
from zhufeng.base._remote import beside, fetch, file_path, is_url, remote_files
from zhufeng.base._seeds import derive_seed, generator
from zhufeng.base._sources import Files, Source, anchor, expand
from zhufeng.base._typed import (
    UNKEYED,
    Json,
    brief,
    dump_toml,
    is_utf8,
    loads_json,
    nearest,
    parse,
    read_json,
    read_text,
    read_toml,
    record,
    shown,
    to_json,
    unknown_key,
)

__all__ = [
    "MANIFEST",
    "UNFINISHED",
    "UNKEYED",
    "DamagedError",
    "Draft",
    "Files",
    "InputError",
    "Json",
    "Manifest",
    "MissingExtraError",
    "Source",
    "Spec",
    "anchor",
    "batched",
    "beside",
    "brief",
    "cache_folder",
    "cache_root",
    "call_named",
    "canonical_json",
    "code_of",
    "damage",
    "derive_seed",
    "differences",
    "dump_toml",
    "durable",
    "exclusive",
    "expand",
    "fetch",
    "file_path",
    "files_below",
    "find",
    "generator",
    "is_url",
    "is_utf8",
    "lazy_names",
    "load_named",
    "loads_json",
    "make",
    "nearest",
    "needs_extra",
    "parse",
    "printable",
    "read_json",
    "read_manifest",
    "read_text",
    "read_toml",
    "record",
    "remote_files",
    "sha256_file",
    "sha256_json",
    "shown",
    "standing",
    "sync_folder",
    "to_json",
    "track",
    "unknown_key",
    "write_durable",
]
