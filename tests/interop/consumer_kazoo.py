#!/usr/bin/python3
"""A consumer on kazoo: holds the lists of children of some directories up to date by watches, and prints
each list it reads as one line of JSON. Ends cleanly on a line on stdin, or at its end.

kazoo drops its watches with the connection, so each reconnect reads and watches anew.
"""
import argparse
import json
import queue
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import ConnectionLoss, NoNodeError, SessionExpiredError
from kazoo.protocol.states import EventType


def say(event, **more):
    line = {"event": event, "t": int(time.time() * 1000), **more}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Consumer:
    """Everything happens on the main thread; kazoo's threads only put into the queue."""

    def __init__(self, options):
        self.options = options
        self.queue = queue.Queue()
        self.session = None
        self.client = KazooClient(options.server, timeout=options.timeout, use_ssl=True, ca=options.ca,
                                  certfile=options.cert, keyfile=options.key)
        self.client.add_listener(lambda state: self.queue.put(("state", state)))
        threading.Thread(target=self.await_line, daemon=True).start()

    def await_line(self):
        sys.stdin.readline()
        self.queue.put(("stop", None))

    def run(self):
        self.client.start_async()
        while True:
            kind, value = self.queue.get()
            if kind == "stop":
                break
            try:
                self.on_state(value) if kind == "state" else self.on_watch(value)
            except (ConnectionLoss, SessionExpiredError):
                pass  # the state's listener tells, and the next connection reads again
        self.client.stop()
        self.client.close()
        say("closed", session=self.session)

    def on_state(self, state):
        if state == KazooState.LOST:
            say("lost", session=self.session)
            self.session = None
        elif state == KazooState.SUSPENDED:
            say("disconnected", state=state)
        else:
            self.on_connected()

    def on_connected(self):
        session = "0x%x" % self.client.client_id[0]
        resumed = session == self.session
        say("resumed" if resumed else "session", session=session)
        if not resumed:
            self.register(session)
        self.session = session
        for directory in self.options.directory:
            self.read(directory, "resumed" if resumed else "start")

    def register(self, session):
        for path in self.options.register:
            self.client.create(path, b"", ephemeral=True, makepath=True)
            say("registered", path=path, session=session)
        if self.options.make:
            for directory in self.options.directory:
                self.client.ensure_path(directory)

    def watch(self, event):
        self.queue.put(("watch", event))

    def on_watch(self, event):
        if event.type == EventType.NONE:
            return
        kind = {EventType.CHILD: "NodeChildrenChanged", EventType.CREATED: "NodeCreated",
                EventType.DELETED: "NodeDeleted", EventType.CHANGED: "NodeDataChanged"}[event.type]
        say("watch", type=kind, path=event.path)
        self.read(event.path, "watch")

    def read(self, directory, why):
        while True:
            try:
                children = self.client.get_children(directory, watch=self.watch)
            except NoNodeError:
                if self.client.exists(directory, watch=self.watch) is None:
                    say("absent", path=directory, why=why)
                    return
            else:
                say("list", path=directory, children=sorted(children), why=why)
                return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--timeout", type=float, default=10.0)
    parser.add_argument("--make", action="store_true", help="make missing directories, do not wait for them")
    parser.add_argument("--register", action="append", default=[], help="path of an ephemeral of its own")
    parser.add_argument("directory", nargs="+")
    Consumer(parser.parse_args()).run()


if __name__ == "__main__":
    main()
