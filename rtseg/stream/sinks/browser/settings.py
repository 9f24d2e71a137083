"""How the browser view behaves: every key of `browser:` in a stream's configuration."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, field_serializer

from rtseg.config import Config


def _as_text(value: Any) -> Any:
    """Return a token that YAML took for a number as the text that it is."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class BrowserConfig(Config):
    """The page: who may see it, how its pictures are sent, and how much of the machine it takes."""

    token: Annotated[SecretStr | None, BeforeValidator(_as_text)] = Field(
        default=None,
        description="What who opens the page must know, at least 12 characters. null: nothing on "
        "a loopback address; on any other, a token is made and its link printed. The environment "
        "variable RTSEG_BROWSER_TOKEN sets it too. Never printed with the configuration.",
    )
    hosts: tuple[str, ...] = Field(
        default=(),
        description="Names by which a reverse proxy asks for a page on a loopback address; with "
        "any, a token is needed.",
    )
    fps: float = Field(
        default=30.0, gt=0, le=120, description="The most pictures a second that a client is sent."
    )
    width: int = Field(
        default=1280, ge=160, le=7680, description="The widest that pictures are sent, pixels."
    )
    quality: int = Field(default=80, ge=1, le=100, description="Of the JPEG pictures, 1 to 100.")
    cpu: float = Field(
        default=0.015,
        gt=0,
        le=1,
        description="The share of the machine's cores that sending pictures may take; all clients' "
        "rates are lowered alike to keep it. A client is sent at least one picture a second.",
    )
    max_clients: int = Field(
        default=64, ge=1, le=1024, description="The most clients that watch at the same time."
    )
    max_webrtc: int = Field(
        default=2,
        ge=0,
        le=16,
        description="The most of them that are sent film by WebRTC, each with an encoder of its "
        "own; 0: none.",
    )

    @field_serializer("token", when_used="json")
    def _hide(self, token: SecretStr | None) -> None:
        """Leave the token out of what is printed or written."""
        return None


def token_of(config: BrowserConfig, environment: dict[str, str]) -> str | None:
    """Return the token that was set, in the configuration or else in the environment."""
    if config.token is not None:
        return config.token.get_secret_value()
    return environment.get("RTSEG_BROWSER_TOKEN") or None
