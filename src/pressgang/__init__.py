"""Train, evaluate and use entity and relation models from Label Studio projects."""

from pressgang.document import Document, Entity, Relation

__all__ = ["Document", "Entity", "Relation"]
