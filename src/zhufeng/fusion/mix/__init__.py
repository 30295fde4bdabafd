"""Several models answer together as one: chunks, members, and the mixture of members."""

from zhufeng.fusion.mix._answer import Said
from zhufeng.fusion.mix._chunks import LONGEST_CHUNK, split
from zhufeng.fusion.mix._member import END, PLAIN, Draw, Member, MemberError, Voice
from zhufeng.fusion.mix._mixture import Mixed, Mixture
from zhufeng.fusion.mix._open import open_member
from zhufeng.fusion.mix._scores import Scores, score_texts, scores_of
from zhufeng.fusion.mix._spec import Members, MemberSpec
from zhufeng.fusion.mix._weights import FORGET, Weighed, mix

__all__ = [
    "END",
    "FORGET",
    "LONGEST_CHUNK",
    "PLAIN",
    "Draw",
    "Member",
    "MemberError",
    "MemberSpec",
    "Members",
    "Mixed",
    "Mixture",
    "Said",
    "Scores",
    "Voice",
    "Weighed",
    "mix",
    "open_member",
    "score_texts",
    "scores_of",
    "split",
]
