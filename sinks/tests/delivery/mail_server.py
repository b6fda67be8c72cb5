"""A mail server that records, refuses and stalls. Arguments: mode, then certificate and key in PEM.

Modes: starttls (required, with a login), starttls-open (required, without one), plain (offers no TLS).
Prints its port, then one line of JSON for each mail. A recipient that begins with "refused" is refused,
one that begins with "later" is put off once, and "stalls" is never answered.
"""

import asyncio
import json
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Recorder:
    def __init__(self):
        self.put_off = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("stalls"):
            await asyncio.sleep(3600)
        if address.startswith("refused"):
            return "550 5.1.1 no such user"
        if address.startswith("later") and address not in self.put_off:
            self.put_off.add(address)
            return "451 4.7.1 greylisted, try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("full"):
            return "552 5.2.2 mailbox full"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        print(
            json.dumps(
                {
                    "to": envelope.rcpt_tos,
                    "tls": session.ssl is not None,
                    "user": session.auth_data.login.decode() if session.auth_data else None,
                    "headers": {name.lower(): value for name, value in mail.items()},
                    "defects": [str(it) for it in mail.defects],
                    "body": mail.get_content(),
                }
            ),
            flush=True,
        )
        return "250 OK"


def authenticate(server, session, envelope, mechanism, auth_data):
    is_known = isinstance(auth_data, LoginPassword) and auth_data == LoginPassword(b"heartline", b"right")
    return AuthResult(success=is_known, handled=False, auth_data=auth_data)


async def main():
    mode = sys.argv[1]
    settings = {}
    if mode != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        settings = {"tls_context": context, "require_starttls": True}
    if mode == "starttls":
        settings |= {"authenticator": authenticate, "auth_required": True}
    recorder = Recorder()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(recorder, hostname="mail.test", loop=loop, **settings), "localhost", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
