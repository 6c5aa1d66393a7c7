from rest_framework import serializers

from apps.accounts.models import User
from apps.accounts.roles import GRANTS


class CredentialsSerializer(serializers.Serializer[dict[str, str]]):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=128, trim_whitespace=False, style={"input_type": "password"})


class TokenPairSerializer(serializers.Serializer[object]):
    access = serializers.CharField(help_text="Bearer token for the Authorization header.")
    refresh = serializers.CharField(help_text="Good for one renewal; keep the one that comes back.")
    expires_in = serializers.IntegerField(help_text="Seconds for which the access token is good.")


class RefreshSerializer(serializers.Serializer[dict[str, str]]):
    refresh = serializers.CharField(max_length=4096)


class RevokeSerializer(serializers.Serializer[dict[str, str]]):
    token = serializers.CharField(max_length=4096, help_text="A refresh or an access token.")


class MeSerializer(serializers.ModelSerializer[User]):
    permissions = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "username", "first_name", "last_name", "email", "role", "language", "theme", "permissions"]

    def get_permissions(self, user: User) -> list[str]:
        return sorted(GRANTS.get(user.role, frozenset()))
