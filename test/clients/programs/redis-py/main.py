"""Writers with redis-py: one client, its pool shared by threads. The contract is in test/clients/README.md."""

import json
import os
import sys
import threading
import time

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ReadOnlyError
from redis.retry import Retry


def recommended():
    # docs:begin
    return {
        # an answer that is due is waited for so long; then the connection is closed
        "socket_timeout": 2,
        "socket_connect_timeout": 1,
        # tried again on a new connection, with half a second between attempts at most
        "retry": Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.5), 20),
        # a write that met a replica too
        "retry_on_error": [ReadOnlyError],
    }
    # docs:end


START = time.time() - time.monotonic()
LOCK = threading.Lock()
STOPPED = threading.Event()


def now():
    return (START + time.monotonic()) * 1000


def say(line):
    with LOCK:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def write(client, writer):
    number = 0
    while not STOPPED.is_set():
        number += 1
        key = f"c:{os.environ['RUN']}:{writer}:{number}"
        begin = now()
        try:
            client.set(key, number)
            say({"ack": key, "writer": writer, "from": begin, "to": now()})
        except Exception as error:
            say({"error": type(error).__name__, "text": str(error), "writer": writer, "from": begin, "to": now()})
        time.sleep(float(os.environ["PAUSE_MS"]) / 1000)


client = redis.Redis(
    host=os.environ["REDIS_HOST"],
    port=int(os.environ["REDIS_PORT"]),
    password=os.environ.get("REDIS_PASSWORD") or None,
    **(recommended() if os.environ["CONFIG"] == "recommended" else {}),
)
for writer in range(int(os.environ["WRITERS"])):
    threading.Thread(target=write, args=(client, writer), daemon=True).start()
say({"ready": True})
sys.stdin.read()
STOPPED.set()
time.sleep(0.5)
os._exit(0)
