"""A disk that hangs, fails or is slow when a test says so: slowdisk.c, preloaded into the server.

    disk = SlowDisk(tmp_path)
    server = make_server.new(...); server.extra_environment = disk.environment(); server.start()
    with disk.hangs("hang-sync"):
        ...                          # what is committed now does not come to the disk
    disk.say("slow-read")            # the core's next read takes 0.3 s
"""
import contextlib
import os
import subprocess

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slowdisk.c")
SLOW_MS = 300


class SlowDisk:
    def __init__(self, directory):
        self.directory = os.path.join(str(directory), "slowdisk")
        os.makedirs(self.directory)
        self.library = os.path.join(str(directory), "slowdisk.so")
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-o", self.library, SOURCE,
                        "-ldl"], check=True)

    def environment(self, room=""):
        """For the server; room: the directory that a budget is for. ASan wants to be the first library, but does not
        need to."""
        options = [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]
        return {"LD_PRELOAD": self.library, "SLOWDISK_DIR": self.directory, "SLOWDISK_ROOM": str(room),
                "ASAN_OPTIONS": ":".join(filter(None, options))}

    def _path(self, word):
        return os.path.join(self.directory, word)

    def say(self, word):
        with open(self._path(word), "w", encoding="ascii"):
            pass

    def set_budget(self, bytes_, quota=False):
        """How large all files may be together; None: as large as they like."""
        new = self._path("budget.new")
        with open(new, "w", encoding="ascii") as file:
            file.write("%d" % (bytes_ if bytes_ is not None else 1 << 60))
        if quota:
            self.say("quota")
        os.rename(new, self._path("budget"))

    @contextlib.contextmanager
    def takes(self, milliseconds):
        """Each sync takes so long."""
        with open(self._path("slow-sync.new"), "w", encoding="ascii") as file:
            file.write("%d" % milliseconds)
        os.replace(self._path("slow-sync.new"), self._path("slow-sync"))
        try:
            yield
        finally:
            os.unlink(self._path("slow-sync"))

    def is_said(self, word):
        """A word that holds once is taken back by the server."""
        return os.path.exists(self._path(word))

    @contextlib.contextmanager
    def hangs(self, word):
        self.say(word)
        try:
            yield
        finally:
            os.unlink(self._path(word))
