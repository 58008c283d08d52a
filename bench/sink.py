"""A mail server that takes everything and keeps nothing: whoever sends to it is what is measured. Runs as a process of its own.

`NOOP` tells how many mails it has taken.
"""

import asyncio

import cyclopts

from dev.places import HOST

END = b"\r\n.\r\n"


class Session(asyncio.Protocol):
    """One connection. It knows just enough SMTP for whoever sends in order."""

    taken = 0  # by all of them

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.buffer, self.in_mail = transport, b"", False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            piece, found, rest = self.buffer.partition(END if self.in_mail else b"\r\n")
            if not found:
                return
            self.buffer = rest
            self.transport.write(self.answer(piece[:4].upper()))

    def answer(self, command: bytes) -> bytes:
        if self.in_mail:
            self.in_mail = False
            Session.taken += 1
            return b"250 taken\r\n"
        if command == b"DATA":
            self.in_mail = True
            return b"354 go on\r\n"
        if command == b"EHLO":
            return b"250-sink\r\n250 SMTPUTF8\r\n"
        return f"250 {Session.taken}\r\n".encode() if command == b"NOOP" else b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n"


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Session, HOST, port)
    await server.serve_forever()


def main(*, port: int) -> None:
    asyncio.run(serve(port))


if __name__ == "__main__":
    cyclopts.run(main)
