"""Makes the secrets of a docker-compose set-up, each once: `python deploy/make_secrets.py FOLDER`.

Database, broker and ERP passwords and the secret key are random; nobody has to think of one, and none stands in a
file of the repository. To choose one yourself, write its file before the first start.
"""

import secrets
import sys
from pathlib import Path

from backend.private import write_private
from stowage.parts.broker import ACCOUNT, password_hash

NAMES = ("db_password", "mqtt_password", "erp_password")


def make_secrets(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if not (folder / name).exists():
            write_private(folder / name, secrets.token_urlsafe(32))
    write_private(
        folder / "mqtt_passwd", f"{ACCOUNT}:{password_hash((folder / 'mqtt_password').read_text())}\n"
    )
    for file in folder.iterdir():
        file.chmod(0o644)  # the volume is the border: the servers beside us read it as other users


if __name__ == "__main__":
    make_secrets(Path(sys.argv[1]))
