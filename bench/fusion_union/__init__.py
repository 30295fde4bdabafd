"""The union table: small models of three families, trained on three domains, answer as one."""

from fusion_union.measure import measure

__all__ = ["measure"]
