"""A member from what a file says of it."""

from __future__ import annotations

from pathlib import Path

from zhufeng.base import needs_extra
from zhufeng.fusion.mix._member import Member
from zhufeng.fusion.mix._remote import RemoteMember
from zhufeng.fusion.mix._spec import MemberSpec


def open_member(spec: MemberSpec) -> Member:
    """The member that `spec` describes; a server is not asked before it is needed.

    Raises:
        InputError: its folder cannot be read, or its parts do not fit.
        MissingExtraError: a folder without the extra ``fusion``.
    """
    if spec.folder is None:
        return RemoteMember(spec)
    with needs_extra("fusion"):
        from zhufeng.fusion.mix._local import open_local  # noqa: PLC0415 (torch)
    return open_local(spec.name, Path(spec.folder), spec.context, spec.end)
