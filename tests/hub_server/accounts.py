"""Users, organisations and their tokens: who a request is from and where they may write."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from hub_server.errors import bad_credentials

WRITERS = ("admin", "write")
"""Roles in an organisation that may write to all its repositories."""


@dataclass(frozen=True)
class Token:
    """A token: whose, its role (`read`, `write`, `fineGrained`) and, of a fine-grained one, the
    namespaces it may write to."""

    secret: str
    user: str
    role: str
    namespaces: tuple[str, ...] = ()


@dataclass
class Accounts:
    """All users and organisations (name → role by member)."""

    users: set[str] = field(default_factory=set)
    orgs: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)

    def issue(self, user: str, role: str, namespaces: tuple[str, ...] = ()) -> str:
        """A token of a user, the same each time it is asked for."""
        if user not in self.users:
            raise KeyError(f"no user {user}")
        named = hashlib.sha256(f"{user} {role} {namespaces}".encode()).hexdigest()
        secret = f"hf_{named[:34]}"
        self.tokens[secret] = Token(secret, user, role, namespaces)
        return secret

    def caller(self, authorization: str | None) -> Token | None:
        """Who sends this `Authorization` header; nobody, if there is none."""
        if not authorization:
            return None
        token = self.tokens.get(authorization.removeprefix("Bearer "))
        if token is None:
            raise bad_credentials()
        return token

    def belongs(self, token: Token | None, namespace: str) -> bool:
        """Whether the caller is the namespace, or one of its members."""
        return token is not None and (
            token.user == namespace or token.user in self.orgs.get(namespace, {})
        )

    def may_write(self, token: Token, namespace: str) -> bool:
        """Whether the token may write to repositories of a user or organisation."""
        if token.role == "read" or (
            token.role == "fineGrained" and namespace not in token.namespaces
        ):
            return False
        role = self.orgs.get(namespace, {}).get(token.user)
        return token.user == namespace or role in WRITERS

    def whoami(self, token: Token) -> dict[str, object]:
        """The answer of `/api/whoami-v2`."""
        access: dict[str, object] = {"displayName": "tests", "role": token.role}
        if token.role == "fineGrained":
            access["fineGrained"] = {
                "canReadGatedRepos": True,
                "global": [],
                "scoped": [
                    {
                        "entity": {
                            "_id": self._id(name),
                            "type": "user" if name in self.users else "org",
                            "name": name,
                        },
                        "permissions": ["repo.content.read", "repo.write"],
                    }
                    for name in token.namespaces
                ],
            }
        return {
            "type": "user",
            "id": self._id(token.user),
            "name": token.user,
            "fullname": token.user.title(),
            "isPro": False,
            "orgs": [
                {
                    "type": "org",
                    "id": self._id(org),
                    "name": org,
                    "fullname": org,
                    "roleInOrg": members[token.user],
                }
                for org, members in self.orgs.items()
                if token.user in members
            ],
            "auth": {"type": "access_token", "accessToken": access},
        }

    @staticmethod
    def _id(name: str) -> str:
        return hashlib.sha256(name.encode()).hexdigest()[:24]
