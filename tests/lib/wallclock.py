"""A wall clock that jumps under a running server: wallclock.c, preloaded.

    clock = WallClock(tmp_path)
    server = make_server.new(...); server.extra_environment = clock.environment(); server.start()
    clock.jump(3600)                 # from now on it is an hour ahead
"""
import os
import subprocess

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wallclock.c")


class WallClock:
    def __init__(self, directory):
        self.path = os.path.join(str(directory), "wallclock")
        self.library = os.path.join(str(directory), "wallclock.so")
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-o", self.library, SOURCE,
                        "-ldl"], check=True)

    def environment(self):
        """For the server. ASan wants to be the first library, but does not need to."""
        options = [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]
        return {"LD_PRELOAD": self.library, "WALLCLOCK_FILE": self.path,
                "ASAN_OPTIONS": ":".join(filter(None, options))}

    def jump(self, seconds):
        """So far from the true time, from now on."""
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write("%d" % seconds)
        os.replace(self.path + ".new", self.path)
