"""Verifies webhooks with the library that receivers use. Reads one line of JSON for each: secret, headers
and body. Prints "ok", or why it is refused."""

import json
import sys

from standardwebhooks import Webhook

for line in sys.stdin:
    request = json.loads(line)
    try:
        Webhook(request["secret"]).verify(request["body"], request["headers"])
        print("ok", flush=True)
    except Exception as error:
        print(f"refused: {error}", flush=True)
