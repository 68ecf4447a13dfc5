"""Handhelds that send commands as fast as they are answered, in a process of their own: `BASE TOKEN CLIENTS SECONDS`.

Client n moves ITEM-n from FROM-n to TO-n, a unit a command. Prints how many a second were answered with 201.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
import uuid


def main(host: str, port: int, token: str, clients: int, seconds: float) -> None:
    done = [0] * clients
    wrong: list[str] = []
    begin = threading.Barrier(clients + 1)

    def work(n: int) -> None:
        connection = http.client.HTTPConnection(host, port, timeout=30)
        connection.connect()
        body = json.dumps(
            {"code": f"ITEM-{n}", "from_place": f"FROM-{n}", "to_place": f"TO-{n}", "quantity": "1"}
        )
        begin.wait()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until and not wrong:
            headers = {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                "Idempotency-Key": str(uuid.uuid4()),
            }
            connection.request("POST", "/api/v1/moves", body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 201:
                wrong.append(f"{answer.status} {said!r}")
            done[n] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
    for t in threads:
        t.start()
    begin.wait()
    started = time.perf_counter()
    for t in threads:
        t.join()
    if wrong:
        sys.exit(wrong[0])
    print(sum(done) / (time.perf_counter() - started))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
