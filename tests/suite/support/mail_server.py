"""A mail server for one test, by aiosmtpd: it does to a mail what the name of its recipient says, and keeps it in a folder."""

import asyncio
import pathlib
import sys

from aiosmtpd.smtp import SMTP

FOLDER = pathlib.Path(sys.argv[1])

# How long it makes whoever writes to a slow recipient wait, in seconds: longer than a lease is left alone.
SLOW = 4


class Handler:
    died = False
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 5.1.1 nobody here has that name"
        if address.startswith("slow"):
            await asyncio.sleep(SLOW)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("dying") and not Handler.died:
            Handler.died = True
            server.transport.abort()
            return "421 4.3.2 nobody hears this"
        Handler.count += 1
        draft = FOLDER / f".{Handler.count:03}"
        draft.write_bytes(envelope.content)
        draft.rename(FOLDER / f"{Handler.count:03}-{envelope.rcpt_tos[0]}.eml")
        return "250 2.0.0 OK"


async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler()), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(serve())
