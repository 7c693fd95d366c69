"""A TCP proxy that a broker is advertised at, so that all of a client's traffic comes through it and can be broken."""

import asyncio
import socket
import struct
import threading

# What one direction holds before it stops reading, as the buffers of a network would.
HELD_CHUNKS = 64


class Way:
    """One direction, of all connections. Shut, it loses nothing: what comes waits, as retransmissions would."""

    def __init__(self):
        self.open = asyncio.Event()
        self.open.set()
        self.delay = 0.0  # seconds


class Proxy:
    """Listens from `with` to the end of its block; forwards to `target`, a port of this machine."""

    def __init__(self, target, port=0):
        self.target, self.port = target, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections = set()

    def __enter__(self):
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_):
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ---- faults ----

    def blackhole(self):
        """Nothing arrives anywhere, new connections included, and nobody is told."""
        self._set("up", False)
        self._set("down", False)

    def lose(self, way):
        """Nothing arrives on the way `up`, to the broker, or `down`, to its clients."""
        self._set(way, False)

    def delay(self, seconds):
        """Each direction takes that long."""
        self._set("up", True, seconds)
        self._set("down", True, seconds)

    def reset(self):
        """RST of all connections to both sides."""
        self._do(self._reset())

    def heal(self):
        self.delay(0.0)

    # ---- the loop's side ----

    def _do(self, what):
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    def _set(self, way, is_open, delay=0.0):
        async def change():
            at = getattr(self, "_" + way)
            at.delay = delay
            at.open.set() if is_open else at.open.clear()
        self._do(change())

    async def _listen(self):
        self._up, self._down = Way(), Way()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self):
        self._server.close()
        await self._reset()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _reset(self):
        for writer in list(self._connections):
            # Closing with a linger of nothing sends RST.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self._connections.add(writer)
        there = None
        try:
            from_broker, there = await asyncio.open_connection("127.0.0.1", self.target)
            self._connections.add(there)
            pumps = [asyncio.ensure_future(self._pump(reader, there, self._up)),
                     asyncio.ensure_future(self._pump(from_broker, writer, self._down))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
        except OSError:
            pass  # the broker is not there: the client learns it by the end of its connection
        finally:
            for one in (writer, there):
                if one:
                    self._connections.discard(one)
                    one.close()

    async def _pump(self, reader, writer, way):
        held = asyncio.Queue(HELD_CHUNKS)
        receiving = asyncio.ensure_future(self._receive(reader, held))
        try:
            while True:
                data, came = await held.get()
                await asyncio.sleep(max(0.0, came + way.delay - self._loop.time()))
                await way.open.wait()
                if not data:
                    return
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # reset, by this test or by a client
        finally:
            receiving.cancel()

    async def _receive(self, reader, held):
        data = b"."
        while data:
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            await held.put((data, self._loop.time()))
