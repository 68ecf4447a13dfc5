"""Certificates for the tests, made with openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.conftest import tool


def self_signed(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate for the host (a name, or an IP address as `IP:127.0.0.1`) that is its own authority, and its key."""
    certificate, key = folder / f"{host}.pem", folder / f"{host}.key"
    subprocess.run(
        [
            tool("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
            "-addext", f"subjectAltName={host}", "-keyout", str(key), "-out", str(certificate),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    key.chmod(0o644)  # brokers started as root read it as somebody else
    return certificate, key
