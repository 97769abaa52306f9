"""The checks of the Python package websockets; prints each result as a line of JSON.

python.py SERVE_HOST ECHO_HOST compressed|plain, the hosts with their ports. The last check asks for the end of both servers with a
line "terminate".
"""
import asyncio
import json
import sys
import traceback

import websockets

PATIENCE = 60
MIB = 1024 * 1024
SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, MIB]
CHAT_LIMIT = 16 * 1024
NON_ASCII = "Grüße aus Köln, 東京, 🎉"

SERVE_HOST, ECHO_HOST, MODE = sys.argv[1:4]
SERVE, ECHO = f"ws://{SERVE_HOST}", f"ws://{ECHO_HOST}"

CHECKS = []


def check(name):
    def add(function):
        CHECKS.append((name, function))
        return function

    return add


def connect(url, **options):
    return websockets.connect(url, max_size=None, ping_interval=None, open_timeout=PATIENCE, **options)


def within(awaitable):
    return asyncio.wait_for(awaitable, PATIENCE)


def bytes_of(size):
    return bytes((i * 167 + (i >> 8) * 13) & 0xFF for i in range(size))


def text_of(size):
    return "".join(chr(0x21 + (i * 31 + (i >> 8) * 13) % 90) for i in range(size))


def expect_same(actual, expected):
    if type(actual) is not type(expected) or actual != expected:
        raise AssertionError(f"expected {describe(expected)}, got {describe(actual)}")


def describe(data):
    return f"{type(data).__name__} of {len(data)} ({data[:40]!r})" if isinstance(data, (str, bytes)) else repr(data)


async def expect_echo(socket, sent, expected):
    await within(socket.send(sent))
    expect_same(await within(socket.recv()), expected)


async def close_code(socket):
    await within(socket.wait_closed())
    return socket.close_code


def add_echo_checks(where, url):
    @check(f"{where}: text of 0 bytes to 1 MiB comes back")
    async def _():
        async with connect(url) as socket:
            for size in SIZES:
                await expect_echo(socket, text_of(size), text_of(size))

    @check(f"{where}: binary of 0 bytes to 1 MiB comes back")
    async def _():
        async with connect(url) as socket:
            for size in SIZES:
                await expect_echo(socket, bytes_of(size), bytes_of(size))

    @check(f"{where}: text with characters of 1 to 4 bytes comes back")
    async def _():
        async with connect(url) as socket:
            for text in [NON_ASCII, NON_ASCII * 10_000]:
                await expect_echo(socket, text, text)

    @check(f"{where}: 1,000 messages sent at once come back in order")
    async def _():
        async with connect(url) as socket:
            texts = [f"message {i}" for i in range(1000)]
            for text in texts:
                await within(socket.send(text))
            for text in texts:
                expect_same(await within(socket.recv()), text)

    @check(f"{where}: fragments come back as one message")
    async def _():
        async with connect(url) as socket:
            await expect_echo(socket, ["Hel", "", "lo", "!"], "Hello!")
            await expect_echo(socket, list(NON_ASCII), NON_ASCII)
            data = bytes_of(70_000)
            await expect_echo(socket, [data[:1], data[1:126], data[126:66_000], data[66_000:]], data)

    @check(f"{where}: a ping is answered with its payload")
    async def _():
        async with connect(url) as socket:
            for size in [1, 5, 125]:
                # Only a pong with this very payload ends the wait.
                await within(await socket.ping(bytes_of(size)))

    @check(f"{where}: no subprotocol without an offer")
    async def _():
        async with connect(url) as socket:
            assert socket.subprotocol is None, socket.subprotocol

    for name, reason in [("code of a close comes back", ""), ("reason of a close comes back with its code", "bye")]:

        @check(f"{where}: the {name}")
        async def _(reason=reason):
            async with connect(url) as socket:
                await within(socket.close(3000, reason))
                expect_same((socket.close_code, socket.close_reason), (3000, reason))


@check("both servers agree to compress, or neither does")
async def _():
    for url in [f"{SERVE}/echo", ECHO]:
        async with connect(url) as socket:
            # Where the list is kept changed with version 14.
            extensions = socket.extensions if hasattr(socket, "extensions") else socket.protocol.extensions
            expect_same([e.name for e in extensions], ["permessage-deflate"] if MODE == "compressed" else [])


add_echo_checks("serve /echo", f"{SERVE}/echo")
add_echo_checks("echo", f"{ECHO}/any/path?and=query")


@check("echo: 16 MiB less 16 bytes come back")
async def _():
    async with connect(ECHO) as socket:
        data = bytes_of(MIB) * 16
        await expect_echo(socket, data[:-16], data[:-16])


@check("serve /chat: 16,384 bytes reach the others")
async def _():
    async with connect(f"{SERVE}/chat") as sender:
        async with connect(f"{SERVE}/chat") as first, connect(f"{SERVE}/chat") as second:
            for data in [text_of(CHAT_LIMIT), bytes_of(CHAT_LIMIT)]:
                await within(sender.send(data))
                for receiver in [first, second]:
                    expect_same(await within(receiver.recv()), data)


@check("serve /chat: 16,385 bytes are too many (1009)")
async def _():
    for data in [text_of(CHAT_LIMIT + 1), bytes_of(CHAT_LIMIT + 1)]:
        async with connect(f"{SERVE}/chat") as socket:
            await within(socket.send(data))
            expect_same(await close_code(socket), 1009)


async def expect_refusal(url, status, **options):
    try:
        async with connect(url, **options):
            pass
    except websockets.InvalidHandshake as error:
        # The name of the class and of its attribute changed with version 14.
        actual = error.response.status_code if hasattr(error, "response") else error.status_code
        expect_same(actual, status)
    else:
        raise AssertionError(f"{url} accepted {options}")


@check("serve: a page of the same host may connect")
async def _():
    for path in ["/echo", "/chat"]:
        async with connect(SERVE + path, origin=f"http://{SERVE_HOST}"):
            pass


@check("serve: a page of another host gets 403")
async def _():
    for path in ["/echo", "/chat", "/people"]:
        for origin in ["http://example.org", "http://127.0.0.1:1", "null"]:
            await expect_refusal(SERVE + path, 403, origin=origin)


@check("serve: a path that nobody serves gets 404")
async def _():
    for path in ["/", "/nowhere", "/echo/", "/Echo"]:
        await expect_refusal(SERVE + path, 404)


@check("SIGTERM closes with 1001, on both servers")
async def _():
    sockets = [await within(connect(url)) for url in [f"{SERVE}/echo", f"{SERVE}/chat", ECHO]]
    print("terminate", flush=True)
    for socket in sockets:
        expect_same(await close_code(socket), 1001)


async def main():
    for name, function in CHECKS:
        try:
            await function()
            result = {"name": name, "ok": True}
        except Exception:
            result = {"name": name, "ok": False, "details": traceback.format_exc()}
        print(json.dumps(result), flush=True)


asyncio.run(main())
