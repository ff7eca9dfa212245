"""A WebSocket client that does what standard input says, a command a line, and
answers each with a line. It is the package websockets, which knows nothing of
the server that it is tried on."""
import asyncio
import sys

import websockets


async def main():
    ws = None
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, _, rest = line.rstrip("\n").partition(" ")
        try:
            if command == "open":
                ws = await websockets.connect(rest)
                answer = "open"
            elif command == "send":
                await ws.send(rest)
                answer = "sent"
            elif command == "receive":
                answer = await ws.recv()
            elif command == "ping":
                await (await ws.ping())
                answer = "pong"
            elif command == "close":
                await ws.close(1000, "bye")
                answer = f"{ws.close_code} {ws.close_reason}"
            elif command == "closed":
                await ws.wait_closed()
                answer = f"{ws.close_code} {ws.close_reason}"
        except websockets.InvalidStatusCode as e:
            answer = f"refused {e.status_code}"
        print(answer, flush=True)


asyncio.run(main())
